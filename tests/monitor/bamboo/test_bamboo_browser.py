"""The pages of Bamboo in a browser: they work by hand, and are readable in both schemes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from jobs.models import BambooRefusal, BambooRound, BambooSubmission, CloudDecision
from pandasite.base.clock import database_now
from tests.builders import create_cloud
from tests.monitor.bamboo.test_bamboo import a_task, verdict
from tests.monitor.browsing import Visit

PAGES = ("/bamboo/", "/bamboo/refused/", "/bamboo/brokerage/", "/bamboo/submissions/")


@pytest.fixture
def production(transactional_db: None) -> None:
    """A round that went wrong, one that did something, a decision, a submission, a refusal."""
    now, us = database_now(), create_cloud("US")
    BambooRound.objects.create(
        started_at=now, ended_at=now, state="trouble", host="h1", error="prodDB: no route"
    )
    one = BambooRound.objects.create(
        started_at=now, ended_at=now, state="done", host="h1", submitted=40, refused=1
    )
    task = a_task(cloud=us)
    BambooSubmission.objects.create(round=one, task=task, at=now, jobs=40, refused=1)
    BambooRefusal.objects.create(
        round=one, at=now, kind="job", subject_id=12, name="j12", reason="events: not -5"
    )
    verdicts = [verdict("FR", "the cloud is offline"), verdict("US", "can take it", weight=2)]
    CloudDecision.objects.create(
        task=task.task, at=now, first_at=now, cloud=us, gist="the only one", verdicts=verdicts
    )


def test_the_pages_are_readable_for_all_in_both_schemes(
    production: None, visit: Visit, scheme: str
) -> None:
    for address in PAGES:
        visit.see(address)
        expect(visit.page.locator("table.plain tbody tr").first).to_be_visible()

        assert visit.violations() == [], address


def test_a_shifter_finds_from_the_dashboard_why_a_cloud_was_refused(
    production: None, visit: Visit
) -> None:
    visit.see("/")
    visit.page.get_by_role("link", name="task brokerage", exact=True).click()
    visit.page.wait_for_url("**/bamboo/brokerage/")
    filters = visit.page.get_by_role("form", name="Filters")
    filters.get_by_label("Outcome").select_option("refused")
    filters.get_by_role("button", name="Show").click()

    expect(visit.page.get_by_text("the cloud is offline")).to_be_visible()
    expect(visit.page.get_by_text("can take it")).to_have_count(0)
