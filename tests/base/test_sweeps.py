"""Several hosts, each with a timetable of its own: one round is worked through once."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from pandasite.base import sweeps
from pandasite.base.models import SweepRun
from pandasite.base.sweeps import run_sweep
from tests.builders import NOW, after

SWEEP = "jobs.watch"
ROUND = 60.0

pytestmark = pytest.mark.django_db


class Clock:
    """What the database's clock says, and how often the sweep has looked."""

    now = NOW
    looked = 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    settings.EXPECTED_SWEEPS = {SWEEP: ROUND}
    clock = Clock()
    monkeypatch.setattr(sweeps, "database_now", lambda: clock.now)
    return clock


def message(clock: Clock, host: str, settings: Any, **headers: str) -> None:
    """A worker of this host works through a message with these headers."""
    settings.PANDASITE_HOST = host

    def look(_now: dt.datetime) -> int:
        clock.looked += 1
        return 1

    app = Celery(set_as_current=False)

    @app.task(name="tests.sweep", shared=False)  # type: ignore[untyped-decorator]
    def task() -> int:
        return run_sweep(SWEEP, look)

    tracer = build_tracer(task.name, task, app=app, propagate=True, eager=True)
    tracer(uuid.uuid4().hex, (), {}, request={**headers, "is_eager": True})


BEAT = {"periodic_task_name": SWEEP}


def test_the_second_of_two_timetables_adds_no_round(clock: Clock, settings: Any) -> None:
    for seconds in (0, ROUND, 2 * ROUND):
        clock.now = after(seconds=seconds)
        message(clock, "a", settings, **BEAT)
        clock.now += dt.timedelta(seconds=ROUND / 2)
        message(clock, "b", settings, **BEAT)

    assert clock.looked == 3
    assert SweepRun.objects.get().host == "a"


def test_whoever_comes_first_takes_the_round(clock: Clock, settings: Any) -> None:
    message(clock, "a", settings, **BEAT)
    clock.now = after(seconds=ROUND)
    message(clock, "b", settings, **BEAT)

    assert clock.looked == 2
    assert SweepRun.objects.get().host == "b"


def test_a_nudge_is_heard_at_any_time(clock: Clock, settings: Any) -> None:
    message(clock, "a", settings, **BEAT)
    for host in "ab":
        message(clock, host, settings)

    assert clock.looked == 3


def test_a_round_that_died_does_not_hold_up_the_next_one(clock: Clock, settings: Any) -> None:
    SweepRun.objects.create(name=SWEEP, started_at=NOW, host="dead")

    clock.now = after(seconds=0.7 * ROUND)
    message(clock, "a", settings, **BEAT)

    assert clock.looked == 1


def test_a_clock_that_is_put_back_does_not_stop_the_rounds(clock: Clock, settings: Any) -> None:
    message(clock, "a", settings, **BEAT)

    for seconds in (0, ROUND):
        clock.now = after(hours=-1, seconds=seconds)
        message(clock, "a", settings, **BEAT)

    assert clock.looked == 3
