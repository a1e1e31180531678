"""What beat sends, as the scheduler that we use reads our timetable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from celery.signals import task_revoked

from pandasite.base import nudge
from pandasite.base.beat import Planned, Scheduler
from pandasite.base.sweeps import run_sweep
from pandasite.celery import SWEEPS, WAIT_SECONDS, app, timetable, waits

SWEEP = "jobs.watch"

pytestmark = pytest.mark.django_db


class Sweep:
    """A task, as Celery's signals name it."""

    name = SWEEP


@pytest.fixture
def beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    # The connection is that of the test.
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    made = Scheduler(app, lazy=True)
    yield made
    made.close()


def entry(name: str = SWEEP) -> Planned:
    return Planned.from_entry(name, app=app, **timetable(sweep_seconds=10)[name])


def waiting(broker: redis.Redis) -> int:
    return broker.llen("celery")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("round_seconds", "seconds"), [(1, WAIT_SECONDS), (10, 50), (60, 300), (300, 600), (3600, 3600)]
)
def test_a_message_waits_for_some_rounds_before_it_is_too_old(
    round_seconds: int, seconds: int
) -> None:
    assert waits(round_seconds) == seconds


def test_every_sweep_of_the_timetable_gets_too_old_at_some_time() -> None:
    """Else a worker that was away for an hour would find all that was asked for in it."""
    for name, rounds in SWEEPS.items():
        assert entry(name).options["expires"] == waits(10 * rounds), name


def test_one_message_of_a_sweep_waits_at_a_time(beat: Scheduler, broker: redis.Redis) -> None:
    """Else a worker that is late finds a queue in which some are always too old."""
    for _ in range(3):
        beat.apply_entry(entry(), producer=beat.producer)
        beat.apply_entry(entry("jobs.assign"), producer=beat.producer)

    assert waiting(broker) == 2


def test_the_next_one_is_sent_when_the_sweep_has_started(
    beat: Scheduler, broker: redis.Redis
) -> None:
    beat.apply_entry(entry(), producer=beat.producer)
    run_sweep(SWEEP, lambda _now: 0)
    beat.apply_entry(entry(), producer=beat.producer)

    assert waiting(broker) == 2


def test_a_message_that_was_lost_holds_up_the_next_until_it_is_too_old_or_a_worker_comes(
    beat: Scheduler, broker: redis.Redis
) -> None:
    beat.apply_entry(entry(), producer=beat.producer)
    assert 0 < broker.ttl(nudge.planned(SWEEP)) <= waits(10)  # type: ignore[operator]

    nudge.forget_planned(SWEEPS)
    beat.apply_entry(entry(), producer=beat.producer)

    assert waiting(broker) == 2


def test_a_message_that_a_worker_dropped_as_too_old_holds_up_nothing(
    beat: Scheduler, broker: redis.Redis
) -> None:
    beat.apply_entry(entry(), producer=beat.producer)
    for expired in (False, True):
        assert broker.exists(nudge.planned(SWEEP))
        task_revoked.send(Sweep, expired=expired)

    assert not broker.exists(nudge.planned(SWEEP))


def test_what_the_admin_has_planned_is_sent_each_time(beat: Scheduler, broker: redis.Redis) -> None:
    theirs = entry()
    theirs.task = "jobs.bamboo"

    for _ in range(2):
        beat.apply_entry(theirs, producer=beat.producer)

    assert waiting(broker) == 2
