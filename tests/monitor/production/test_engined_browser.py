"""A task of the engine in a real browser: it is readable, and its owner steers it."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from jobs.models import Task
from jobs.tasks_engine import engine
from pandasite.base.clock import database_now
from tests.builders import create_user
from tests.monitor.browsing import Visit
from tests.tasks_engine.drive import finish_jobs, live_jobs, task_of
from tests.tasks_engine.requests import evgen, simul


@pytest.fixture
def task(site_url: str) -> Task:
    """With scouts that have finished, and a child."""
    made = task_of(evgen(scouts=True, n_scouts=2, campaign="mc09c"))
    task_of(simul("mc09.evgen.EVNT", parent="mc09.evgen"))
    finish_jobs(live_jobs(made))
    engine.run(database_now())
    return made


def log_in(visit: Visit, name: str) -> None:
    """The session of a person, as the browser would keep it."""
    client = Client()
    client.force_login(create_user(name))
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    base = {"name": settings.SESSION_COOKIE_NAME, "value": value, "domain": "127.0.0.1"}
    visit.page.context.add_cookies([{**base, "path": "/"}])  # type: ignore[typeddict-item]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_owner_reads_how_a_task_goes_and_pauses_it(visit: Visit, task: Task) -> None:
    page = visit.page
    log_in(visit, "alice")
    # when
    visit.see(f"/tasks/{task.pk}/")
    # then
    expect(page.get_by_role("table", name="Scouts")).to_contain_text("Memory (MB)")
    assert visit.violations() == []
    # when
    page.get_by_role("link", name="Pause…").click()
    page.wait_for_url(re.compile(r"act\?action=pause"))
    assert visit.violations() == []
    visit.see(f"/tasks/{task.pk}/act?action=retry")
    assert visit.violations() == []
    visit.see(f"/tasks/{task.pk}/act?action=pause")
    page.get_by_label("Reason").fill("storage is full")
    page.get_by_role("button", name="Pause").click()
    # then
    page.wait_for_url(f"**/tasks/{task.pk}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    expect(page.get_by_role("table", name="History")).to_contain_text("storage is full")
