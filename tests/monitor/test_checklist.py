"""The shift checklist: what each check finds, and what it lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from brokerage.models import BannedNode, Site
from brokerage.services import book_new_site
from datasets import flowsums
from datasets.models import GB, TransferFailure, TransferSum
from jobs.models import AnswerCount, JobCount, Node
from monitor import dashboard
from monitor.attention import servers
from monitor.operations.database import Connections
from monitor.servers import database_lamp
from pandasite.base.models import ServerProcess
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_storage,
    create_transfer,
)

pytestmark = pytest.mark.django_db


def items(title: str, **filters: Any) -> list[Any]:
    """What the check of this title has found."""
    board = dashboard.read(now=NOW, **{"hours": 12, "kind": "", **filters})
    (check,) = [check for check in board.checks if check.title == title]
    assert (check.state == "ok") == (not check.items)
    assert all(item.reason and item.step for item in check.items)
    return list(check.items)


def texts(title: str) -> list[str]:
    return [item.text for item in items(title)]


def count(site: Site, state: str, n: int) -> None:
    JobCount.objects.create(
        cloud_id=site.cloud_id, site_id=site.pk, label="managed", state=state, n=n,
        hour="1970-01-01T00:00Z", payload_error=False, latest=NOW,
    )  # fmt: skip


def answered(site: Site, outcome: str, n: int, *, hours_ago: int) -> None:
    hour = after(hours=-hours_ago)
    AnswerCount.objects.create(site_id=site.pk, outcome=outcome, hour=hour, n=n)


def process(**fields: Any) -> None:
    ServerProcess.objects.create(
        **{"host": "a", "role": "web", "pid": 7, "version": "1", "started_at": after(days=-1),
           "seen_at": NOW, "broker_ms": 0.3} | fields
    )  # fmt: skip


def test_a_silent_process_is_named_with_its_machine() -> None:
    process()
    process(pid=8, seen_at=after(minutes=-5))
    assert items("Servers")[0].text == (
        "web a x 2: no sign of life from 1 of 2 (process 8), the last 5 min ago"
    )
    assert items("Servers")[0].level == "warning"


def test_a_transaction_that_is_open_for_hours_is_named() -> None:
    found = Connections(
        connections=85, connections_max=100, active=1, idle_in_transaction=1, waiting_for_lock=0,
        oldest_transaction=after(hours=-3),
    )  # fmt: skip
    lamp = database_lamp(found, now=NOW)
    assert lamp.state == "late"
    assert lamp.details == (
        "85 of 100 connections are taken and a transaction has been open for 3 h,"
        " so that no table can be cleaned"
    )
    (item,) = servers([lamp])
    assert item.step == "find out whose it is, and end it"
    assert items("Servers") == []  # that of the tests is well


def test_a_broker_that_answers_nobody_is_an_alert() -> None:
    process(broker_ms=None)
    (item,) = items("Servers")
    assert (item.level, item.text) == ("alert", "broker: did not answer web 7 on a")


def test_pilots_that_find_no_work_anywhere_are_named() -> None:
    # given nine pilots, which is not worth a word
    site = create_site()
    create_pilot(site)
    Node.objects.update(pilots=9)
    assert items("Work to hand out") == []
    # when one more comes
    Node.objects.update(pilots=10)
    # then
    (item,) = items("Work to hand out")
    assert item.text == "no jobs are queued"
    assert item.reason.startswith("10 pilots called of late")
    # and with a job that waits all is well
    create_job("activated", site=site)
    assert items("Work to hand out") == []


def idle_site(**answers: int) -> Site:
    site = create_site("LPC")
    book_new_site(site, author="alice", reason="new", now=after(days=-2))
    for outcome, n in answers.items():
        answered(site, outcome, n, hours_ago=2)
    return site


def busy_site() -> Site:
    site = create_site("AGLT2")
    book_new_site(site, author="alice", reason="new", now=after(days=-2))
    answered(site, "job", 5, hours_ago=20)
    return site


def test_a_site_without_a_job_for_a_day_is_idle_and_the_answers_tell_why() -> None:
    busy_site()
    idle_site(no_job=40, site_full=2)
    (item,) = items("Idle sites")
    assert item.text == "LPC had no job for more than 24 h"
    assert item.reason == "its pilots were told no job 40 times"
    assert item.url == "/sites/LPC/"


def test_an_idle_site_that_nobody_calls_says_so() -> None:
    busy_site()
    idle_site()
    assert items("Idle sites")[0].reason == "no pilot has called there in that time"


def test_no_site_is_idle_while_there_is_no_work_at_all() -> None:
    idle_site(no_job=40)
    assert items("Idle sites") == []


def test_a_site_that_runs_or_is_new_or_is_shut_is_not_idle() -> None:
    busy_site()
    create_job("running", site=idle_site())
    new = create_site("NEW")
    book_new_site(new, author="alice", reason="new", now=after(hours=-3))
    create_site("OFF", status="offline", status_at=after(days=-9))
    assert items("Idle sites") == []


def test_a_pile_is_many_jobs_of_which_few_run() -> None:
    # given
    site, other = create_site("AGLT2"), create_site("LPC")
    count(site, "assigned", 200)
    count(site, "running", 66)
    count(other, "assigned", 600)
    count(other, "running", 300)
    count(other, "transferring", 199)
    # when
    (item,) = items("Piles")
    # then
    assert item.text == "200 assigned jobs at AGLT2"
    assert item.reason == "while 66 run there"
    assert item.url == "/jobs/?site=AGLT2&state=assigned"


def test_jobs_that_wait_for_input_pile_up_in_a_cloud() -> None:
    site = create_site("AGLT2")
    JobCount.objects.create(
        cloud_id=site.cloud_id, site_id=0, label="managed", state="waiting", n=900,
        hour="1970-01-01T00:00Z", payload_error=False, latest=NOW,
    )  # fmt: skip
    (item,) = items("Piles")
    assert (item.text, item.url) == ("900 waiting jobs at US", "/jobs/?cloud=US&state=waiting")


def test_banned_nodes_are_named_by_site_with_the_latest_reason() -> None:
    site = create_site("AGLT2")
    for n in range(4):
        BannedNode.objects.create(
            site=site, node=f"wn{n}", reason=f"black hole {n}", at=after(hours=n - 9)
        )
    (item,) = items("Banned nodes")
    assert item.text == "4 nodes of AGLT2 banned: wn0, wn1, wn2, ..."
    assert item.reason == "the latest 6 h ago: black hole 3"


def test_a_storage_that_is_nearly_full_is_named_once() -> None:
    sites = [create_site(name, with_storage=False) for name in ("A", "B")]
    create_storage(
        "SE", sites=sites, free_bytes=40 * GB, capacity_bytes=1000 * GB, threshold_gb=1,
        measured_at=NOW,
    )  # fmt: skip
    (item,) = items("Storage")
    assert item.text == "SE is 96 % full"
    assert item.reason == "40 GB of 1000 GB are left"


def test_space_that_was_measured_long_ago_is_named_and_never_measured_is_not() -> None:
    create_site()
    site = create_site("A", with_storage=False)
    create_storage("SE", sites=[site], free_bytes=900 * GB, measured_at=after(hours=-5))
    assert texts("Storage") == ["the space of SE was measured 5 h ago"]


def moved(*, done: int, tries: int) -> None:
    """So many files came to LPC in the last hours, after so many tries that failed."""
    storage = create_storage("LPC")
    hour = {"hour": after(hours=-1), "destination": storage, "activity": "production", "vo": ""}
    TransferSum.objects.create(**hour, done=done, failed=0, tries=tries, bytes=0, seconds=0)
    TransferFailure.objects.create(
        **hour, reason="no space left", n=1, sample="full", transfer=1, latest=NOW
    )


@pytest.mark.parametrize(
    ("done", "tries", "level"),
    [(95, 5, ""), (90, 10, "warning"), (79, 21, "alert"), (0, 19, ""), (0, 20, "alert")],
)
def test_transfers_should_go_well(done: int, tries: int, level: str) -> None:
    moved(done=done, tries=tries)

    found = items("DDM, last 4 h")

    assert [item.level for item in found] == ([level] if level else [])
    if found:
        assert found[0].reason == (
            f"{tries} of the {tries} that failed were to LPC;"
            " most were given up because of: no space left"
        )
        assert found[0].url == "/ddm/?window=4h"


def test_the_box_of_the_dashboard_says_how_transfers_went() -> None:
    moved(done=79, tries=21)

    board = dashboard.read(now=NOW, hours=12, kind="")

    assert (board.ddm.lamp, board.ddm.text) == ("failed", "79 % of 100 tries went well")
    assert board.as_json()["ddm"]["efficiency"] == 79
    assert dashboard.Lately().text == "nothing moved"


def test_a_transfer_that_waits_for_a_day_is_told_with_its_storage() -> None:
    target = create_storage("LPC")
    for hours in (-1, -25, -30):
        create_transfer(create_file(), target, created_at=after(hours=hours), reason="timed out",
                        error="x")  # fmt: skip
    flowsums.run(NOW)

    (item,) = items("Transfers")

    assert item.text == "2 transfers to LPC wait for more than a day"
    assert item.reason == "the oldest for 30 h; a try failed with: timed out"
    assert item.url == "/ddm/stuck/?destination=storage%3ALPC"
