"""Nudges: one message is enough until the sweep starts, and none is worth an error."""

import json
import logging

import pytest
import redis
from celery import Celery
from django.conf import settings
from django.db import transaction

from pandasite.base import nudge as nudging
from pandasite.base.nudge import heard, nudge
from pandasite.base.sweeps import run_sweep

SWEEP = "jobs.assign"


def waiting(broker: redis.Redis, queue: str = "celery") -> int:
    """Messages that no worker has taken yet."""
    return broker.llen(queue)  # type: ignore[return-value]


@pytest.mark.django_db(transaction=True)
def test_many_nudges_are_one_message(broker: redis.Redis) -> None:
    for _ in range(5):
        nudge(SWEEP)
    nudge("jobs.register")
    assert waiting(broker) == 2


@pytest.mark.django_db(transaction=True)
def test_a_nudge_after_the_sweep_has_started_is_sent(broker: redis.Redis) -> None:
    # given
    nudge(SWEEP)

    def look(_now: object) -> int:
        nudge(SWEEP)  # something happens behind the sweep's back
        return 0

    # when
    run_sweep(SWEEP, look)

    # then
    assert waiting(broker) == 2


@pytest.mark.django_db(transaction=True)
def test_a_lost_message_holds_up_the_next_one_for_seconds_only(broker: redis.Redis) -> None:
    nudge(SWEEP)
    assert 0 < broker.ttl(f"nudged.{SWEEP}") <= nudging.MARK_SECONDS  # type: ignore[operator]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_starts_may_be_told_of_what_another_took_and_lost(
    broker: redis.Redis,
) -> None:
    nudge("datasets.transfer", 1, queue="transfers")
    nudge(SWEEP)
    broker.delete("transfers", "celery")
    broker.set("planned.jobs.assign", 1)

    nudging.forget_nudged()
    nudging.forget_nudged()

    assert broker.keys("*ed.*") == [b"planned.jobs.assign"]
    nudge("datasets.transfer", 1, queue="transfers")
    assert waiting(broker, "transfers") == 1


@pytest.mark.django_db(transaction=True)
def test_each_thing_has_a_message_of_its_own_until_its_task_starts(broker: redis.Redis) -> None:
    for pk in (1, 1, 2):
        nudge("datasets.transfer", pk, queue="transfers")
    assert waiting(broker, "transfers") == 2

    heard("datasets.transfer", 1)
    for pk in (1, 2):
        nudge("datasets.transfer", pk, queue="transfers")
    assert waiting(broker, "transfers") == 3


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_before_the_commit_nor_after_a_rollback(broker: redis.Redis) -> None:
    with transaction.atomic():
        nudge(SWEEP)
        assert waiting(broker) == 0
        transaction.set_rollback(True)
    assert waiting(broker) == 0


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is: nobody listens at its address."""
    nowhere = Celery(broker="redis://127.0.0.1:1/0", set_as_current=False)
    nowhere.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(nudging, "current_app", nowhere)
    monkeypatch.setattr(nudging, "_away_until", 0.0)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_logged_and_then_left_alone(
    away: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            nudge(SWEEP)
    assert [record.message for record in caplog.records] == ["nudge_lost"]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_runs_without_the_broker(away: None) -> None:
    assert run_sweep(SWEEP, lambda _now: 7) == 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("seconds", "waits"), [(0, False), (2, True)])
def test_a_sweep_may_wait_for_more_news(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, seconds: int, waits: bool
) -> None:
    monkeypatch.setitem(settings.PANDASITE, "NUDGE_SECONDS", seconds)

    nudge(SWEEP)

    message = json.loads(broker.lindex("celery", 0))  # type: ignore[arg-type]
    assert bool(message["headers"]["eta"]) == waits
