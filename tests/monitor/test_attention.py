"""What the dashboard asks people to look at, each with its reason and the next step."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from brokerage.models import Cloud
from brokerage.services import set_site_status
from datasets.models import GB
from jobs.models import BrokerageDecision
from monitor import dashboard
from pandasite.base import health
from pandasite.base.models import SweepRun
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_pilot,
    create_site,
    create_storage,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sweeps have just ended, and this process runs for long."""
    monkeypatch.setattr(health, "STARTED", health.STARTED - 1_000_000)
    for name in settings.EXPECTED_SWEEPS:
        SweepRun.objects.create(name=name, started_at=NOW, ended_at=NOW, last_ok_at=NOW, runs=1)


def board(**filters: Any) -> dashboard.Dashboard:
    return dashboard.read(now=NOW, **{"hours": 12, "kind": "", **filters})


def the_only_item() -> Any:
    (item,) = board().attention
    assert item.reason
    assert item.step
    return item


def create_failures(site: Any, *, failed: int, finished: int) -> None:
    for _ in range(failed):
        create_job("failed", site=site, pilot_error_code=1099)
    for _ in range(finished):
        create_job("finished", site=site)


def test_when_all_is_well_nothing_is_asked_for() -> None:
    # given
    site = create_site()
    create_pilot(site)
    create_job("running", site=site)
    # then
    assert board().attention == []
    assert board().headline == "All is well"


def test_a_rate_of_few_jobs_is_not_said_to_be_well() -> None:
    # given
    site = create_site()
    create_pilot(site)
    for _ in range(4):
        create_job("failed", site=site)
    # then
    assert board().attention == []
    (check,) = [check for check in board().checks if check.title == "Failures"]
    assert "where 5 jobs or more have ended fails more than 20 %" in check.found


def test_a_late_sweep_is_an_alert() -> None:
    # given
    SweepRun.objects.filter(name="jobs.assign").update(last_ok_at=after(minutes=-30))
    # when
    item = the_only_item()
    # then
    assert (item.level, item.text) == ("alert", "1 sweep late: jobs.assign")
    assert "assign last went well 30 min ago, due every 10 s" in item.reason
    assert "Celery worker" in item.step


def test_a_sweep_that_never_ran_is_late_once_the_site_is_up_for_long() -> None:
    # given
    SweepRun.objects.filter(name="jobs.assign").delete()
    # then
    assert "assign has never gone well" in the_only_item().reason


def test_a_sweep_that_failed_shows_its_error() -> None:
    # given
    SweepRun.objects.filter(name="jobs.watch").update(ok=False, error="KeyError: 'x'")
    # then
    item = the_only_item()
    assert (item.level, item.text) == ("alert", "sweep jobs.watch failed")
    assert item.reason.endswith("due every 10 s: KeyError: 'x'")


def test_a_site_that_is_not_online_is_named_with_author_reason_and_what_waits_there() -> None:
    # given
    site = create_site("AGLT2")
    create_job("activated", site=site)
    set_site_status(site, "offline", author="alice", reason="disk server burnt", now=NOW)
    # when
    item = the_only_item()
    # then
    assert item.text == "AGLT2 is offline"
    assert item.reason == "alice: disk server burnt; 1 job queued there"
    assert item.url == "/sites/AGLT2/"


def test_an_offline_cloud_is_named() -> None:
    # given
    create_cloud("FR", status=Cloud.Status.OFFLINE)
    # then
    assert the_only_item().text == "cloud FR is offline"


def test_a_site_that_fails_a_lot_is_named_with_its_most_frequent_error() -> None:
    # given
    site = create_site("AGLT2")
    create_failures(site, failed=4, finished=3)
    create_job("failed", site=site, exe_error_code=60010)
    create_failures(create_site("LPC"), failed=1, finished=9)
    # when
    item = the_only_item()
    # then
    assert (item.level, item.text) == ("alert", "AGLT2 fails 63 % (5 of 8 jobs)")
    assert item.reason.startswith("most often pilot:1099 (4): ")
    assert "Unknown" not in item.reason
    assert item.url == "/jobs/?site=AGLT2&state=failed&ended=12h&error=pilot%3A1099"


def test_an_older_failure_is_not_held_against_a_site() -> None:
    # given
    site = create_site()
    for _ in range(6):
        create_job("failed", site=site, at=after(hours=-14), pilot_error_code=1099)
    # then
    assert board().attention == []
    assert board(hours=24).attention != []


def test_stale_jobs_are_named_with_their_number_and_lead_to_their_list() -> None:
    # given
    site = create_site()
    create_pilot(site)
    create_job("running", site=site, at=after(hours=-13))
    # when
    item = the_only_item()
    # then
    assert item.text == "1 running job not updated for more than 12 hours"
    assert item.url == "/jobs/?state=running&idle=12h"


def test_a_running_job_that_sends_heartbeats_is_not_stale() -> None:
    # given
    site = create_site()
    create_job("running", site=site, at=after(hours=-13), modification_time=after(minutes=-5))
    # then
    assert board().attention == []


def test_jobs_without_a_site_are_named_with_the_reason_of_brokerage() -> None:
    # given
    decision = BrokerageDecision.objects.create(
        at=NOW, site="", n_jobs=2, detail={"reason": "none of 9 sites can take it"}
    )
    for _ in range(2):
        create_job("defined", at=after(minutes=-9), decision=decision)
    # then
    assert (the_only_item().text, the_only_item().reason) == (
        "2 jobs without a site",
        "none of 9 sites can take it",
    )


def test_jobs_that_brokerage_has_not_seen_yet_are_no_reason_to_worry() -> None:
    # given
    create_job("defined")
    # then
    assert board().attention == []


def test_work_without_pilots_is_named() -> None:
    # given
    site = create_site("AGLT2")
    create_pilot(site, last_contact=after(hours=-4))
    create_job("activated", site=site)
    # then
    assert the_only_item().text == "AGLT2 has 1 activated job but no pilots"


def test_a_full_storage_element_is_named_with_the_threshold() -> None:
    # given
    site = create_site("AGLT2", with_storage=False)
    create_storage("AGLT2_DISK", sites=[site], free_bytes=7 * GB, threshold_gb=50, measured_at=NOW)
    # when
    item = the_only_item()
    # then
    assert item.text == "AGLT2 has 7.0 GB left"
    assert item.reason == "brokerage wants 50 GB free at AGLT2_DISK"


def test_alerts_come_first_and_a_long_list_is_summed_up() -> None:
    # given
    for i in range(7):
        site = create_site(f"S{i}", status="offline", status_reason="power cut")
    create_failures(site, failed=5, finished=0)
    # when
    found = board().attention
    # then
    assert [item.level for item in found] == ["alert", *["warning"] * 4]
    assert (found[-1].text, found[-1].reason) == (
        "and 4 more sites are not online",
        "S3, S4, S5, S6",
    )


def test_the_title_counts_what_there_is_to_look_at(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.recent.database_now", lambda: NOW)
    create_site(status="offline")
    # then
    assert "<title>1 thing to look at · pandasite</title>" in client.get("/").content.decode()
