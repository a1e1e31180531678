"""The page of the servers: what each says of itself, and what is missing."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.test import Client

from monitor.operations.database import Database
from monitor.servers import lamps, sweeps
from pandasite.base import broker
from pandasite.base.models import ServerProcess, SweepRun
from tests.builders import NOW, after

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.operations.views.database_now", lambda: NOW)


def process(**fields: Any) -> ServerProcess:
    facts = {
        "host": "a", "role": "web", "pid": 7, "version": "1.2", "started_at": after(hours=-2),
        "seen_at": NOW, "memory_mb": 100, "broker_ms": 0.4,
    }  # fmt: skip
    return ServerProcess.objects.create(**facts | fields)


def told(client: Client) -> Any:
    return client.get("/servers/?format=json").json()


def test_each_process_is_there_with_its_age(client: Client) -> None:
    # given
    process()
    process(host="b", role="worker", work="celery", pid=9, seen_at=after(minutes=-4))
    # when
    first, second = told(client)["processes"]
    # then
    assert (first["host"], first["state"], first["up"]) == ("a", "ok", 7200)
    assert (second["host"], second["state"], second["work"]) == ("b", "failed", "celery")
    page = client.get("/servers/").text
    assert '<span class="lamp failed">failed</span>' in page
    assert "104.9 MB" in page


def test_each_sweep_has_its_last_good_round_error_duration_and_next(client: Client) -> None:
    # given
    SweepRun.objects.create(
        name="jobs.assign", started_at=after(seconds=-8), ended_at=after(seconds=-6), ok=False,
        last_ok_at=after(minutes=-1), error="KeyError: 'x'", rows=3, runs=12, host="a",
    )  # fmt: skip
    # when
    found = {sweep["name"]: sweep for sweep in told(client)["sweeps"]}
    # then
    assert sorted(found) == sorted(settings.EXPECTED_SWEEPS)
    sweep = found["jobs.assign"]
    assert (sweep["state"], sweep["seconds"], sweep["runs"]) == ("failed", 2.0, 12)
    every = settings.EXPECTED_SWEEPS["jobs.assign"]
    assert dt.datetime.fromisoformat(sweep["next_at"]) == after(seconds=every - 8)
    assert found["jobs.watch"]["last_ok_at"] is None
    assert "KeyError: &#x27;x&#x27;" in client.get("/servers/").text


def test_a_round_that_is_under_way_has_no_duration_yet() -> None:
    run = SweepRun(name="jobs.assign", started_at=NOW, ended_at=after(seconds=-9))
    (sweep,) = sweeps({"jobs.assign": run}, {"jobs.assign": 10.0}, now=NOW, uptime=1)
    assert sweep.seconds is None


def test_the_database_tells_its_size_and_connections(client: Client) -> None:
    database = told(client)["database"]
    assert database["size_bytes"] > 1_000_000
    assert 1 <= database["connections"] <= database["connections_max"]
    assert database["replicas"] == 0
    assert told(client)["tables"][0]["size_bytes"] > 0


def test_a_transaction_that_is_open_for_long_is_said() -> None:
    facts: dict[str, Any] = dict.fromkeys(Database.__dataclass_fields__, 0)
    database = Database(
        **facts | {"oldest_transaction": after(minutes=-61), "connections_max": 100}
    )
    assert database.held_up(NOW)
    assert not database.held_up(after(minutes=-2))
    assert not database.crowded
    assert Database(**facts | {"connections": 81, "connections_max": 100}).crowded


def test_the_queues_of_the_broker_are_shown(client: Client, broker: Any) -> None:
    broker.rpush("celery", "one", "two", "three")
    found = told(client)["broker"]
    assert found["waiting"] == {"celery": 3, "transfers": 0}


def test_a_broker_that_is_away_is_said_and_everything_else_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Celery(broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr(broker, "current_app", away)
    page = client.get("/servers/").text
    assert "does not answer" in page
    assert "Sweeps" in page
    assert told(client)["broker"] is None


def test_a_table_alone_is_sorted_and_taken_along(client: Client) -> None:
    for name in ("jobs.assign", "jobs.watch"):
        SweepRun.objects.create(name=name, started_at=NOW, runs=len(name))
    answer = client.get("/servers/?table=sweeps&sort=-runs&columns=name,runs&format=csv")
    rows = list(csv.reader(answer.text.splitlines()))
    assert rows[:3] == [["name", "runs"], ["jobs.assign", "11"], ["jobs.watch", "10"]]
    assert client.get("/servers/?table=sweeps").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["table=nonsense", "sort=name", "format=csv", "format=xml", "x=1", "table=sweeps&page=9"],
)
def test_what_the_page_does_not_know_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"/servers/?{query}")
    assert answer.status_code == 400
    assert query.rpartition("&")[2].partition("=")[0] in answer.text


def test_a_group_of_which_one_is_silent_is_late_and_of_which_all_are_failed() -> None:
    alive, silent = process(), process(pid=8, seen_at=after(minutes=-2))
    assert [lamp.state for lamp in lamps([alive, silent], now=NOW)] == ["late", "ok"]
    assert [lamp.state for lamp in lamps([silent], now=NOW)] == ["failed"]
