"""Beat goes on when the clock of its machine is put back by an hour, before its start or after."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from celery.schedules import schedule
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

from pandasite.base.beat import Planned, Scheduler
from pandasite.celery import app

EVERY, HOUR = 10.0, 3600.0
NAME = "jobs.watch"

pytestmark = pytest.mark.django_db


class Wall:
    """The clock of the machine, as Celery and django-celery-beat ask for it."""

    def __init__(self) -> None:
        self.off = 0.0

    def now(self, *_: Any) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.off)

    def time(self) -> float:
        return self.now().timestamp()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(Planned, "_default_now", wall.now)
    monkeypatch.setattr(Planned, "default_now", wall.now)
    monkeypatch.setattr(app, "now", wall.now)
    monkeypatch.setattr(time, "time", wall.time)
    # The connection is that of the test.
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    return wall


def made(kind: type[DatabaseScheduler]) -> tuple[DatabaseScheduler, list[str]]:
    """A scheduler with one task that is sent each ten seconds; what it has sent."""
    sent: list[str] = []
    noting = {
        "apply_entry": lambda _self, entry, **_: sent.append(entry.name),
        "producer": None,
        "sync": lambda _self: None,  # at the end of the process, too
    }
    return type("Noting", (kind,), noting)(app, lazy=True), sent


def plan(wall: Wall, *, sent_ago: float) -> None:
    entry = Planned.from_entry(NAME, app=app, task=NAME, schedule=schedule(EVERY, app=app))
    ago = wall.now() - dt.timedelta(seconds=sent_ago)
    PeriodicTask.objects.filter(pk=entry.model.pk).update(last_run_at=ago)
    PeriodicTasks.update_changed()


def tick_for(scheduler: DatabaseScheduler, wall: Wall, *, seconds: float) -> None:
    """As beat does, but that the clock goes on by itself while it sleeps."""
    until = wall.off + seconds
    while wall.off < until:
        wall.off += max(0.1, scheduler.tick())


@pytest.mark.parametrize(
    ("kind", "rounds"),
    [pytest.param(Scheduler, 6, id="ours"), pytest.param(DatabaseScheduler, 0, id="control")],
)
class TestAClockThatIsPutBack:
    def test_under_a_beat_that_runs(
        self, wall: Wall, kind: type[DatabaseScheduler], rounds: int
    ) -> None:
        plan(wall, sent_ago=EVERY)
        scheduler, sent = made(kind)
        tick_for(scheduler, wall, seconds=EVERY)
        assert sent == [NAME]

        wall.off -= HOUR
        tick_for(scheduler, wall, seconds=6 * EVERY)

        assert len(sent[1:]) in range(rounds - 1, rounds + 2 if rounds else 1)

    def test_before_a_beat_starts(
        self, wall: Wall, kind: type[DatabaseScheduler], rounds: int
    ) -> None:
        plan(wall, sent_ago=0)
        wall.off -= HOUR

        scheduler, sent = made(kind)
        tick_for(scheduler, wall, seconds=6 * EVERY)

        assert len(sent) in range(rounds - 1, rounds + 2 if rounds else 1)
