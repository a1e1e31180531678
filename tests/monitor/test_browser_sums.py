"""The lists and pages of tasks, people, pilots, sites, log and data in a real browser."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.conf import settings

from brokerage.models import Downtime
from brokerage.services import set_site_status
from jobs import tally, usage
from jobs.models import AnswerCount, Job, Task, UsageQuota
from monitor.data import tally as physics_tally
from monitor.models import LogEvent
from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from tests.builders import (
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_storage,
    create_transfer,
    create_user,
)
from tests.monitor.addresses import LISTS
from tests.monitor.browsing import SMALL, Visit


@pytest.fixture
def grid(site_url: str) -> Task:
    """A task at work at two sites, one of them away, with pilots, transfers, log and quotas."""
    now = database_now()
    for name in settings.EXPECTED_SWEEPS:
        SweepRun.objects.create(name=name, started_at=now, ended_at=now, last_ok_at=now)
    site = create_site("AGLT2", cloud=create_cloud("US"), slots=40, memory_mb=2000)
    away = create_site("LPC", cloud=create_cloud("FR"), tier=1)
    set_site_status(away, "offline", author="alice", reason="power cut", now=now)
    Downtime.objects.create(
        site=away, start=now, end=now + dt.timedelta(hours=6), description="new cooling"
    )
    task = Task.objects.create(
        name="mc09_7TeV.105001.pythia_minbias.evgen.EVNT.e479",
        owner=create_user(), working_group="higgs", processing_type="evgen", created_at=now,
    )  # fmt: skip
    pilot = create_pilot(
        site, pilot_id="p7", factory="bnl-factory", claims=9, jobs=3, last_contact=now
    )
    for nr in range(12):
        jobs_of(task, site, pilot, now, nr)
    hour = now.replace(minute=0, second=0, microsecond=0)
    for outcome, n in (("job", 12), ("no_job", 3)):
        AnswerCount.objects.create(site_id=site.pk, outcome=outcome, hour=hour, n=n)
    UsageQuota.objects.create(name="alice", cpu_hours=1, note="until spring")
    source = create_storage("BNL_DISK")
    create_transfer(create_file(), site.storages.get(), source=source, state="failed",
                    ended_at=now, error="no space left on device")  # fmt: skip
    create_file(dataset=create_dataset("mc09.105001.py.evgen.EVNT.e1"), events=500, size=10**9)
    for level, event in ((20, "brokered"), (30, "transfer_failed"), (40, "request_failed")):
        LogEvent.objects.create(
            at=now, kind="ddm", level=level, logger="datasets.engine", event=event, host="web1",
            process=17, facts={"error": "no route to host"},
        )  # fmt: skip
    usage.run(now)
    tally.run(now)
    physics_tally.run(now)
    return task


def jobs_of(task: Task, site: Any, pilot: Any, now: dt.datetime, nr: int) -> None:
    """One job of the task: most are finished, some failed, run or wait."""
    state = ("finished", "finished", "failed", "running", "activated", "finished")[nr % 6]
    create_job(
        state, site=site, at=now, task=task, inputs=[create_file()], pilot=pilot,
        start_time=now - dt.timedelta(hours=2), cpu_consumption_time=5400,
        dispatch_d_block="panda.evgen.1_dis7", pilot_error_code=1099 * (state == "failed"),
    )  # fmt: skip


def test_every_list_is_accessible_and_fits_a_small_screen(visit: Visit, grid: Task) -> None:
    visit.page.set_viewport_size(SMALL)
    for address in (
        *LISTS,
        f"/tasks/{grid.pk}/",
        "/users/alice/",
        "/sites/LPC/",
        "/pilots/AGLT2/p7/",
    ):
        # when
        visit.see(address)
        visit.page.wait_for_load_state("networkidle")
        # then
        assert visit.violations() == [], address


def test_a_shifter_goes_from_the_tasks_to_the_failed_jobs_of_one(visit: Visit, grid: Task) -> None:
    page = visit.page
    # given
    visit.see("/tasks/")
    row = page.get_by_role("row", name=str(grid.pk))
    assert "running" in row.inner_text()
    # when: filter, then follow
    page.get_by_role("form", name="Filters").get_by_label("State").select_option("running")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name=str(grid.pk), exact=True).click()
    # then: the page says the same as the database
    failed = Job.objects.filter(task=grid, state="failed").count()
    page.get_by_role("table", name="Errors").get_by_role("link", name=str(failed)).click()
    assert page.locator("#count").inner_text() == str(failed)


def test_a_sheet_is_sorted_by_a_click_on_its_head(visit: Visit, grid: Task) -> None:
    page = visit.page
    # given
    visit.see("/sites/")
    # when
    page.get_by_role("link", name="Site", exact=True).click()
    page.get_by_role("link", name="Site", exact=True).click()
    # then
    assert "sort=-name" in page.url
    names = page.locator("main table tbody th").all_inner_texts()
    assert names == ["LPC", "AGLT2"]


def test_the_columns_of_a_sheet_are_chosen_on_the_page(visit: Visit, grid: Task) -> None:
    page = visit.page
    # given
    visit.see("/users/")
    # when
    page.get_by_text("Columns: what they mean").click()
    page.get_by_label("Sites", exact=True).uncheck()
    page.get_by_role("button", name="Show these").click()
    # then
    assert "columns=" in page.url
    assert "Sites" not in page.locator("main table thead").inner_text()


def test_an_error_in_the_log_is_found_by_its_number(visit: Visit, grid: Task) -> None:
    page = visit.page
    # given
    visit.see("/logger/")
    row = page.get_by_role("table", name="Lines by type and level").get_by_role("row", name="ddm")
    # when
    row.get_by_role("link").last.click()
    # then
    shown = page.locator("main table").nth(1)
    assert shown.locator("tbody tr").count() == LogEvent.objects.filter(level__gte=40).count()
    assert "request_failed" in shown.inner_text()


def test_the_answers_to_pilots_are_drawn(visit: Visit, grid: Task) -> None:
    visit.see("/pilots/answers/?site=AGLT2")
    visit.page.wait_for_selector("figure.plot canvas")


def test_the_page_of_a_user_leads_to_his_jobs(visit: Visit, grid: Task) -> None:
    page = visit.page
    # given
    visit.see("/users/")
    page.get_by_role("link", name="alice", exact=True).click()
    # when
    page.get_by_role("link", name="Jobs", exact=True).last.click()
    # then
    assert page.url.endswith("/jobs/?user=alice")
    assert page.locator("#count").inner_text() == str(Job.objects.count())
