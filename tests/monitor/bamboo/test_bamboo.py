"""The pages of Bamboo, and its lamp."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from jobs.bamboo import timetable
from jobs.models import (
    BambooRefusal,
    BambooRound,
    BambooSubmission,
    BambooTask,
    CloudDecision,
    Task,
)
from monitor.bamboo import lamp
from tests.builders import NOW, after, create_cloud, create_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.bamboo.views.database_now", lambda: NOW)


def rows(client: Client, address: str) -> list[dict[str, Any]]:
    answer = client.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def a_round(*, minutes: float = 0, seconds: float = 4, **fields: Any) -> BambooRound:
    began = after(minutes=-minutes)
    ended = after(minutes=-minutes, seconds=seconds)
    given = {"started_at": began, "ended_at": ended, "state": "done", "host": "h1"}
    return BambooRound.objects.create(**given | fields)


def a_task(name: str = "mc09.evgen", request: int = 7, **fields: Any) -> BambooTask:
    task = Task.objects.create(
        name=name, owner=create_user(), created_at=NOW, processing_type="evgen"
    )
    given = {"kind": "defined", "name": name, "state": "SUBMITTED", "taken_at": NOW}
    return BambooTask.objects.create(request_id=request, task=task, **given | fields)


def verdict(cloud: str, reason: str, *, weight: float = 0.0) -> dict[str, Any]:
    accepted = weight > 0
    return {"cloud": cloud, "accepted": accepted, "rule": "", "reason": reason, "weight": weight}


# Status


def test_the_status_shows_the_cycles_of_twelve_hours_with_what_they_did(client: Client) -> None:
    a_round(minutes=60 * 13, submitted=9)
    a_round(
        minutes=5, taken=1, submitted=40, written=41, killed=2, backlog_tasks=1, backlog_jobs=300,
        steps=[{"name": "take", "rows": 1, "seconds": 0.5, "trouble": ""}],
    )  # fmt: skip

    (row,) = rows(client, "/bamboo/")
    text = client.get("/bamboo/").text

    assert (row["taken"], row["submitted"], row["written"], row["killed"]) == (1, 40, 41, 2)
    assert (row["seconds"], row["backlog_jobs"]) == (4.0, 300)
    assert "take 0.5 s" in text
    assert "1 tasks, 300 jobs" in text


def test_cycles_that_found_nothing_are_left_out_until_they_are_asked_for(client: Client) -> None:
    a_round()

    assert rows(client, "/bamboo/") == []
    assert len(rows(client, "/bamboo/?idle=yes")) == 1


def test_the_next_cycle_is_told(client: Client) -> None:
    timetable.plan()
    a_round(minutes=4, submitted=1)

    told = client.get("/bamboo/?format=json").json()

    assert told["timetable"] == "every 600 s"
    assert told["next_at"] == after(minutes=6).isoformat().replace("+00:00", "Z")
    assert (
        " ago"
        not in client.get("/bamboo/").text.partition("next cycle:")[2].partition("</span>")[0]
    )


def test_what_is_in_the_way_stands_above_the_list(client: Client) -> None:
    a_round(state="trouble", error="prodDB: connection refused")

    assert "prodDB: connection refused" in client.get("/bamboo/").text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/bamboo/?state=moon", "one of running, done, more, trouble"),
        ("/bamboo/?window=moon", "a span from 1h to 30d"),
        ("/bamboo/brokerage/?window=31d", "a span from 1h to 30d"),
        ("/bamboo/refused/?kind=moon", "one of task, job"),
        ("/bamboo/brokerage/?cloud=XX", "one of US"),
        ("/bamboo/brokerage/?outcome=maybe", "one of chosen, accepted, refused"),
        ("/bamboo/submissions/?task=moon", "a number from 1"),
        ("/bamboo/submissions/?moon=1", "moon"),
    ],
    ids=["state", "window", "long window", "kind", "cloud", "outcome", "task", "unknown"],
)
def test_a_wrong_filter_is_refused(client: Client, address: str, words: str) -> None:
    create_cloud("US")

    answer = client.get(address)

    assert answer.status_code == 400
    assert words in answer.text


def test_refused_rows_are_shown_with_their_reasons(client: Client) -> None:
    one = a_round(refused=1)
    BambooRefusal.objects.create(
        round=one, at=NOW, kind="job", subject_id=12, name="j12", reason="events: not -5"
    )

    (row,) = rows(client, f"/bamboo/refused/?round={one.pk}")

    assert (row["kind"], row["subject_id"], row["reason"]) == ("job", 12, "events: not -5")
    assert f"/bamboo/refused/?round={one.pk}" in client.get("/bamboo/").text


# Task brokerage and submissions


def test_each_cloud_has_a_line_with_its_sentence(client: Client) -> None:
    us, task = create_cloud("US"), a_task()
    verdicts = [
        verdict("FR", "the cloud is offline"),
        verdict("US", "can take it", weight=2),
        verdict("CA", "can take it", weight=1),
    ]
    CloudDecision.objects.create(
        task=task.task, at=NOW, first_at=NOW, cloud=us, gist="drawn", verdicts=verdicts
    )

    found = rows(client, "/bamboo/brokerage/")

    assert {(r["cloud"], r["outcome"], r["reason"]) for r in found} == {
        ("FR", "refused", "the cloud is offline"),
        ("US", "chosen", "can take it"),
        ("CA", "accepted", "can take it"),
    }
    assert {(r["given"], r["request_id"]) for r in found} == {("US", 7)}
    assert len(rows(client, "/bamboo/brokerage/?outcome=chosen")) == 1
    assert len(rows(client, "/bamboo/brokerage/?cloud=US")) == 1


def test_submissions_are_told_by_round_and_task(client: Client) -> None:
    one, task = a_round(), a_task(cloud=create_cloud("US"), jobs_total=50, jobs_finished=10)
    BambooSubmission.objects.create(round=one, task=task, at=NOW, jobs=40, refused=1)

    (row,) = rows(client, "/bamboo/submissions/")
    csv = client.get("/bamboo/submissions/?format=csv").text

    assert (row["jobs"], row["refused"], row["cloud"], row["state"]) == (40, 1, "US", "SUBMITTED")
    assert (row["jobs_total"], row["jobs_finished"]) == (50, 10)
    assert "mc09.evgen" in csv
    assert rows(client, f"/bamboo/submissions/?task={task.task_id + 1}") == []


# The lamp


def lit(minutes: float = 0) -> tuple[str, str]:
    now = after(minutes=minutes)
    (found,) = lamp.lamps(lamp.look(now=now), now=now)
    return found.state, found.details


def test_the_lamp_is_red_while_prod_db_is_away() -> None:
    timetable.plan()
    a_round(state="trouble", error="prodDB: connection refused")

    assert lit() == ("failed", "prodDB: connection refused")


def test_the_lamp_says_when_three_rounds_have_passed() -> None:
    timetable.plan()
    a_round()

    assert lit(minutes=29)[0] == "ok"
    assert lit(minutes=31) == ("late", "the last cycle began 31 min ago, every 600 s")


def test_without_a_production_database_there_is_no_lamp_and_the_page_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.proddb.door.available", lambda: False)

    assert lamp.lamps(lamp.look(now=NOW), now=NOW) == []
    assert "Bamboo is off" in client.get("/bamboo/").text


def test_the_dashboard_leads_to_the_three_pages(client: Client) -> None:
    text = client.get("/").text

    for address in ("/bamboo/", "/bamboo/brokerage/", "/bamboo/submissions/"):
        assert f'href="{address}"' in text
