"""Health: alive is alive, ready means that a write goes through and every sweep has run."""

import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from celery import Celery
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from pytest_django import DjangoDbBlocker, Settings

from pandasite.base import health
from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from tests.base.probe import refused

NOW = dt.datetime(2009, 1, 31, 12, tzinfo=dt.UTC)
HOUR = 3600.0


def ready() -> Any:
    return health.ready(RequestFactory().get("/healthz/ready"))


def run(name: str, *, seconds_ago: float, ok: bool = True) -> SweepRun:
    """A sweep that ended so long before now."""
    ended = database_now() - dt.timedelta(seconds=seconds_ago)
    return SweepRun.objects.create(name=name, ended_at=ended, last_ok_at=ended, ok=ok)


@pytest.fixture(autouse=True)
def no_sweeps(settings: Settings) -> None:
    """Nothing sweeps here: a test names those that it expects."""
    settings.EXPECTED_SWEEPS = {}


@pytest.fixture
def long_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has run for an hour: no grace is left."""
    monkeypatch.setattr(health, "STARTED", time.monotonic() - HOUR)


def use_broker(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(health, "current_app", Celery(broker=url, set_as_current=False))


@contextmanager
def database_gone() -> Iterator[None]:
    def fail(*args: Any) -> Any:
        raise OperationalError('connection to server at "10.0.0.7", user "panda" failed')

    with connection.execute_wrapper(fail):
        yield


def test_alive_asks_nobody(django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.block():
        response = health.live(RequestFactory().get("/healthz/live"))
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ok"})
    assert "no-store" in response.headers["Cache-Control"]


STRANGE_HOSTS = ["127.0.0.1:8000", "10.1.2.3", "evil.example.org", "a b", ""]


@pytest.fixture
def production(settings: Settings) -> Client:
    """Somebody at the door of a site that has a name, and wants TLS."""
    settings.ALLOWED_HOSTS = ["pandasite.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_alive_answers_by_any_host_and_without_a_database(
    production: Client, django_db_blocker: DjangoDbBlocker, host: str
) -> None:
    with django_db_blocker.block():
        response = production.get("/healthz/live", headers={"Host": host})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["X-Request-ID"]


@pytest.mark.django_db
@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_ready_answers_by_any_host(production: Client, host: str) -> None:
    assert production.get("/healthz/ready", headers={"Host": host}).status_code == 200
    with database_gone():
        response = production.get("/healthz/ready", headers={"Host": host})
    refused(response, status=503, code="not_ready")


@pytest.mark.parametrize("path", ["/", "/healthz/other", "/healthz/live/", "/rest/v1/jobs"])
def test_other_addresses_still_look_at_the_host(production: Client, path: str) -> None:
    response = production.get(path, headers={"Host": "evil.example.org"}, secure=True)
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_probes_only_read(production: Client, path: str, method: str) -> None:
    assert getattr(production, method)(path).status_code == 405


def test_health_is_only_read() -> None:
    assert health.live(RequestFactory().post("/healthz/live")).status_code == 405
    assert health.ready(RequestFactory().delete("/healthz/ready")).status_code == 405


@pytest.mark.django_db
def test_ready_when_everything_runs(settings: Settings, long_up: None) -> None:
    settings.EXPECTED_SWEEPS = {"jobs.assign": 10}
    run("jobs.assign", seconds_ago=12)

    response = ready()

    body = json.loads(response.content)
    assert (response.status_code, body["status"]) == (200, "ok")
    assert body["checks"]["sweeps"] == {
        "ok": True, "ages": {"jobs.assign": 12}, "late": [], "failing": []
    }  # fmt: skip
    assert "no-store" in response.headers["Cache-Control"]
    assert SweepRun.objects.get(name="healthz").ended_at


@pytest.mark.django_db
def test_a_probe_writes_one_row_again_and_again() -> None:
    assert health.check_database() == health.check_database() == {"ok": True}
    assert SweepRun.objects.count() == 1


@pytest.mark.django_db
def test_a_late_sweep_makes_it_not_ready(settings: Settings, long_up: None) -> None:
    settings.EXPECTED_SWEEPS = {"jobs.assign": 10, "jobs.watch": 10, "jobs.fold_counts": 10}
    run("jobs.assign", seconds_ago=31)
    run("jobs.watch", seconds_ago=29)

    body = refused(ready(), status=503, code="not_ready")

    assert body["failed"] == ["sweeps"]
    assert body["checks"]["sweeps"]["late"] == ["jobs.assign", "jobs.fold_counts"]
    assert body["checks"]["sweeps"]["ages"]["jobs.fold_counts"] is None


@pytest.mark.django_db
def test_a_process_that_just_started_waits_for_the_sweeps(settings: Settings) -> None:
    settings.EXPECTED_SWEEPS = {"jobs.assign": 3600, "jobs.watch": 3600}
    run("jobs.assign", seconds_ago=100_000)
    assert ready().status_code == 200


@pytest.mark.parametrize(
    ("age", "uptime", "late"),
    [
        (None, 29, False),
        (None, 31, True),
        (29, HOUR, False),
        (31, HOUR, True),
        (HOUR, 29, False),
        (0, HOUR, False),
    ],
)
def test_three_rounds_are_granted(age: int | None, uptime: float, late: bool) -> None:
    found = health.late_sweeps({"jobs.assign": 10}, {"jobs.assign": age}, uptime=uptime)
    assert found == (["jobs.assign"] if late else [])


@pytest.mark.parametrize(("age", "late"), [(29, False), (31, True)])
def test_a_sweep_of_every_second_is_not_late_before_half_a_minute(age: int, late: bool) -> None:
    found = health.late_sweeps({"jobs.wake": 1}, {"jobs.wake": age}, uptime=HOUR)
    assert found == (["jobs.wake"] if late else [])


def test_an_age_is_counted_from_the_end_of_the_last_run() -> None:
    runs = {"a": SweepRun(name="a", last_ok_at=NOW - dt.timedelta(seconds=7)), "b": SweepRun()}
    assert health.sweep_ages({"a": 1, "b": 1, "c": 1}, runs, now=NOW) == {
        "a": 7, "b": None, "c": None
    }  # fmt: skip


@pytest.mark.django_db
def test_a_sweep_that_fails_degrades(settings: Settings, long_up: None) -> None:
    settings.EXPECTED_SWEEPS = {"jobs.assign": 10}
    run("jobs.assign", seconds_ago=1, ok=False)
    body = json.loads(ready().content)
    assert (body["status"], body["checks"]["sweeps"]["failing"]) == ("degraded", ["jobs.assign"])


@pytest.mark.django_db
def test_without_the_database_it_is_not_ready_and_tells_no_secret() -> None:
    with database_gone():
        response = ready()
    body = refused(response, status=503, code="not_ready")
    assert body["failed"] == ["database", "sweeps"]
    assert response.headers["Retry-After"]
    assert b"10.0.0.7" not in response.content and b"panda" not in response.content


@pytest.mark.django_db(transaction=True)
def test_a_database_that_only_reads_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        try:
            refused(ready(), status=503, code="not_ready")
        finally:
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    assert ready().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_write_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_MILLISECONDS", 50)
    assert health.check_database() == {"ok": True}
    with closing(connection.copy()) as other, other.cursor() as cursor:
        other.set_autocommit(False)
        cursor.execute("UPDATE base_sweeprun SET ok = true WHERE name = 'healthz'")
        assert health.check_database() == {"ok": False}
        other.rollback()
    assert health.check_database() == {"ok": True}


@pytest.mark.django_db
def test_without_the_broker_it_is_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_broker(monkeypatch, "redis://:secret@127.0.0.1:1/0")
    response = ready()
    body = json.loads(response.content)
    assert (response.status_code, body["status"]) == (200, "degraded")
    assert body["checks"]["broker"] == {"ok": False}
    assert b"secret" not in response.content


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_broker(monkeypatch, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        before = time.monotonic()
        assert health.check_broker() == {"ok": False}
    assert time.monotonic() - before < 5


def test_the_broker_of_the_tests_answers() -> None:
    assert health.check_broker() == {"ok": True}


@pytest.mark.django_db
def test_a_sweep_that_only_fails_is_late_however_often_it_runs(
    settings: Settings, long_up: None
) -> None:
    settings.EXPECTED_SWEEPS = {"jobs.assign": 10}
    run("jobs.assign", seconds_ago=100, ok=True)
    SweepRun.objects.update(ended_at=database_now(), ok=False)
    assert json.loads(ready().content)["failed"] == ["sweeps"]
