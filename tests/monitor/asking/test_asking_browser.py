"""The forms in a real browser: usable by all, and without a script of theirs."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from jobs.models import Task
from tests.builders import create_cloud, create_user, create_vo, manned_site
from tests.monitor.browsing import Visit

FORM = "/task-requests/new/?kind=generic"


@pytest.fixture
def alice(visit: Visit, site_url: str) -> None:
    """Who has logged in, at a grid with a site."""
    create_vo()
    manned_site("BNL", cloud=create_cloud("US"))
    client = Client()
    client.force_login(create_user("alice", production=True))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    visit.page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site_url}]
    )


def test_nobody_is_kept_out_of_the_forms(visit: Visit, alice: None) -> None:
    page = visit.page
    for address in (FORM, "/new-tag/", "/tags/"):
        visit.see(address)
        assert visit.violations() == [], address
    # and not of one with faults, nor of its preview
    visit.see(FORM)
    page.get_by_label("Task name").fill("mine")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("transformation is required")).to_be_visible()
    assert visit.violations() == []
    assert [text for text in visit.complaints if "400 (Bad Request)" not in text] == []
    visit.complaints.clear()  # of the true status of a form with faults


def test_a_task_is_previewed_and_submitted(visit: Visit, alice: None) -> None:
    page = visit.page
    # given
    visit.see(FORM)
    said = {"Task name": "mine", "Transformation": "evgen.py", "Events per job": "10"}
    for label, text in said.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Events", exact=True).fill("100")
    # when
    page.get_by_role("button", name="Preview").click()
    # then
    expect(page.get_by_role("heading", name="What would become of it")).to_be_visible()
    assert visit.violations() == []
    # and
    page.get_by_label("Reason").fill("for the note")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/tasks/*/")
    assert Task.objects.get().name == "mine"
