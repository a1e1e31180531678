"""Errors and nodes in a real browser: open, filter, follow, act, compare; both colour schemes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from brokerage.models import BannedNode
from jobs.groups import OPERATORS
from jobs.models import AnyJob, Job
from pandasite.base.clock import database_now
from pandasite.base.models import AuditLine
from tests.monitor.browsing import SMALL, USUAL, Visit
from tests.monitor.errors.grid import Grid, make_grid

NARROW = ("errors", "messages", "matrix", "sites", "nodes")  # fit a small screen
PICTURES = os.environ.get("TEST_PICTURES", "")  # a folder to look at the pages in


@pytest.fixture
def grid(site_url: str) -> Grid:
    return make_grid(now=database_now())


def log_in(visit: Visit) -> None:
    """As an operator."""
    user = get_user_model().objects.create_user("olga", password="o0oo0oO0o")
    user.groups.add(Group.objects.get_or_create(name=OPERATORS)[0])
    from jobs.groups import sync_groups

    sync_groups()
    visit.page.goto("/login/")
    visit.page.get_by_label("Username").fill("olga")
    visit.page.get_by_label("Password").fill("o0oo0oO0o")
    visit.page.locator("main").get_by_role("button", name="Log in").click()


def picture(visit: Visit, name: str) -> None:
    if PICTURES:
        path = Path(PICTURES, f"{name}-{visit.scheme}.png")
        visit.page.screenshot(path=path, full_page=True)


def test_a_shifter_goes_from_the_summary_to_a_message_and_tries_its_jobs_again(
    visit: Visit, grid: Grid
) -> None:
    page = visit.page
    log_in(visit)
    # given the summary, whose numbers are the database's
    visit.see("/errors/?hours=3")
    picture(visit, "errors")
    row = page.get_by_role("table", name="Errors").get_by_role("row", name="1137")
    n = AnyJob.objects.filter(state="failed", pilot_error_code=1137).count()
    assert row.locator("td").nth(0).inner_text() == str(n) == "12"
    # when: follow it to what it says
    row.get_by_role("link", name="messages").click()
    picture(visit, "messages")
    assert "error=pilot%3A1137" in page.url and "hours=3" in page.url
    page.get_by_role("link", name="could not write <path> on <host>: errno 28").click()
    picture(visit, "cluster")
    assert visit.violations() == []
    page.get_by_label("Reason").first.fill("disk mended")
    page.get_by_role("button", name="Try 12 again").click()
    # then
    assert page.get_by_role("heading", name="12 jobs of 12 tried again").count() == 1
    assert Job.objects.filter(retry_of__isnull=False).count() == 12
    assert AuditLine.objects.get().reason == "disk mended"
    page.get_by_role("link", name="Back").click()
    assert page.get_by_text("All of these jobs have a successor already.").count() == 1
    # and a site can be taken out of it all on its page
    visit.see("/sites/BNL/")
    page.get_by_text("Set its status").click()
    picture(visit, "site")
    assert visit.violations() == []
    page.get_by_label("Status", exact=True).select_option("offline")
    page.get_by_label("Reason").fill("disk full")
    page.get_by_role("button", name="Set the status").click()
    page.get_by_role("link", name="Back").click()
    assert page.get_by_text("disk full").count() >= 1


def test_a_black_hole_is_found_and_banned(visit: Visit, grid: Grid) -> None:
    page = visit.page
    log_in(visit)
    # given
    visit.see("/nodes/?hours=3")
    assert "1 outlier" in page.title()
    picture(visit, "nodes")
    # when
    page.locator(".attention").get_by_role("link", name="hole.bnl.gov").click()
    page.wait_for_selector("figure canvas")
    picture(visit, "node")
    assert visit.violations() == []
    page.get_by_label("For", exact=True).select_option("72")
    page.get_by_label("Reason").fill("disk full")
    page.get_by_role("button", name="Ban the node").click()
    # then
    ban = BannedNode.objects.get()
    assert (ban.node, ban.reason) == ("hole.bnl.gov", "disk full")
    page.get_by_role("link", name="Back").click()
    assert page.get_by_text("disk full").count() >= 1
    page.get_by_label("Reason").fill("disk replaced")
    page.get_by_role("button", name="Lift the ban").click()
    assert not BannedNode.objects.exists()


def test_the_filters_make_an_address_and_can_be_taken_away(visit: Visit, grid: Grid) -> None:
    page = visit.page
    # given
    visit.see("/errors/?hours=3")
    page.get_by_text("Narrow down").click()
    # when
    page.get_by_label("Grid").select_option("EGEE")
    page.get_by_role("button", name="Show").first.click()
    # then
    assert "grid=EGEE" in page.url and "hours=3" in page.url
    assert page.get_by_role("table", name="Errors").locator("tbody tr").count() == 2
    page.get_by_role("navigation", name="Kind of jobs").get_by_role("link", name="analysis").click()
    assert page.get_by_role("table", name="Errors").locator("tbody tr").count() == 1
    page.get_by_role("link", name="grid: EGEE").click()
    assert "grid" not in page.url
    page.get_by_role("navigation", name="Views of errors").get_by_role(
        "link", name="Workflows"
    ).click()
    assert page.get_by_role("table", name="Matrix").locator("tbody tr").count() == 1


def test_every_page_is_accessible_and_a_narrow_screen_is_wide_enough(
    visit: Visit, grid: Grid
) -> None:
    for name, address in {
        "errors": "/errors/?cloud=US", "messages": "/errors/messages/", "matrix": "/errors/matrix/",
        "sites": "/errors/sites/", "grids": "/errors/grids/",
        "grid": "/errors/grids/OSG/?period=3d", "nodes": "/nodes/",
        "empty": "/errors/?grid=ARC", "node": "/nodes/BNL/wn1.bnl.gov/",
    }.items():  # fmt: skip
        # when
        visit.page.set_viewport_size(SMALL if name in NARROW else USUAL)
        visit.see(address)
        # then
        picture(visit, f"anybody-{name}")
        assert visit.violations() == [], address
