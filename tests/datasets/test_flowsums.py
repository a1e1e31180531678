"""Transfers by the hour and the reason, what waits, and how full storage was."""

from __future__ import annotations

import datetime as dt

import pytest

from datasets import flowsums
from datasets.models import (
    SpaceSample,
    StorageElement,
    Transfer,
    TransferDay,
    TransferFailure,
    TransferQueue,
    TransferSum,
)
from tests.builders import NOW, after, create_file, create_storage, create_transfer

pytestmark = pytest.mark.django_db


def ended(state: str, at: dt.datetime, **fields: object) -> Transfer:
    storages = {name: StorageElement.objects.filter(name=name).first() or create_storage(name)
                for name in ("BNL", "LPC")}  # fmt: skip
    given = {"source": storages["BNL"], "attempts": 1, "started_at": at - dt.timedelta(seconds=10)}
    return create_transfer(
        create_file(), storages["LPC"], state=state, ended_at=at, **given | fields
    )


def test_transfers_are_added_up_by_the_hour_of_their_end() -> None:
    ended("done", after(minutes=-30), bytes_moved=1000, attempts=3)
    ended("done", after(minutes=-31), bytes_moved=500)
    ended("failed", after(minutes=-32), error="x: No space left", reason="no space left")
    ended("done", after(minutes=-90), bytes_moved=7)
    ended("done", after(minutes=-32), bytes_moved=9, activity="analysis", vo="atlas")

    flowsums.run(NOW)

    (first, of_users, last) = TransferSum.objects.order_by("hour", "activity")
    assert (first.hour, first.bytes) == (after(hours=-2), 7)
    assert (of_users.activity, of_users.vo, of_users.bytes) == ("analysis", "atlas", 9)
    assert (last.done, last.failed, last.tries, last.bytes, last.seconds) == (2, 1, 3, 1500, 20)


def test_an_hour_is_counted_until_it_is_over_and_then_no_more() -> None:
    ended("done", after(minutes=5))
    flowsums.run(after(minutes=30))
    late = ended("done", after(minutes=59))
    flowsums.run(after(minutes=65))
    assert TransferSum.objects.get().done == 2

    flowsums.run(after(minutes=71))
    late.delete()
    flowsums.run(after(minutes=80))

    assert TransferSum.objects.get().done == 2
    assert flowsums.Patrol.objects.get(name=flowsums.SWEEP).news_until == after(hours=1)


def test_an_end_that_was_committed_late_is_counted_though_the_next_hour_has_begun() -> None:
    flowsums.run(after(minutes=1))
    ended("done", after(minutes=-1))

    flowsums.run(after(minutes=2))

    assert TransferSum.objects.get().hour == after(hours=-1)


def test_a_round_that_has_no_time_leaves_hours_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(3):
        ended("done", after(hours=-190 + hour))
    over = iter([False, True])

    with monkeypatch.context() as patch:
        patch.setattr("datasets.flowsums.Round.over", property(lambda _self: next(over)))
        flowsums.run(NOW)
        assert flowsums.Patrol.objects.get(name=flowsums.SWEEP).news_until == after(hours=-189)
    flowsums.run(NOW)

    assert sum(TransferSum.objects.values_list("done", flat=True)) == 3


def test_failures_are_counted_by_their_reason_with_the_latest_error() -> None:
    ended("failed", after(minutes=-40), error="a: no space", reason="no space left")
    last = ended("failed", after(minutes=-35), error="b: no space", reason="no space left")
    ended("failed", after(minutes=-30), error="odd")

    flowsums.run(NOW)
    flowsums.run(NOW)

    full, odd = TransferFailure.objects.order_by("reason")
    assert (full.reason, full.n, full.sample) == ("no space left", 2, "b: no space")
    assert (full.transfer, full.latest) == (last.pk, last.ended_at)
    assert (odd.reason, odd.n) == ("other", 1)


def test_what_waits_is_counted_by_the_reason_of_its_last_try() -> None:
    target = create_storage("LPC")
    for hours in (-1, -25):
        create_transfer(create_file(), target, created_at=after(hours=hours))
    create_transfer(
        create_file(), target, created_at=after(hours=-30), error="timed out", reason="timed out"
    )

    flowsums.run(NOW)
    flowsums.run(NOW)

    fresh, tried = TransferQueue.objects.order_by("reason")
    assert (fresh.reason, fresh.n, fresh.stuck, fresh.bytes) == ("", 2, 1, 2000)
    assert (tried.reason, tried.n, tried.stuck, tried.sample) == ("timed out", 1, 1, "timed out")
    assert fresh.oldest == after(hours=-25)


def test_days_are_summed_up_beside_their_hours_and_stay_right_when_those_are_folded() -> None:
    for hours in (-80, -79, -30, -1):
        ended("done", after(hours=hours), bytes_moved=10)

    for _round in range(2):
        flowsums.run(NOW)

    def days() -> list[tuple[int, int, int]]:
        rows = TransferDay.objects.order_by("hour")
        return [(one.hour.day, one.done, one.bytes) for one in rows]

    assert days() == [(14, 2, 20), (16, 1, 10), (17, 1, 10)]
    ended("done", after(minutes=-5), bytes_moved=5)
    flowsums.run(NOW)
    assert days()[-1] == (17, 2, 15)
    flowsums.run(after(hours=24 * 40))
    assert days() == []


def test_hours_of_days_that_are_over_become_one_and_stay_so() -> None:
    for hours in (-80, -79, -30):
        ended("done", after(hours=hours), bytes_moved=10)
        ended("failed", after(hours=hours), error=f"at {hours}", reason="timed out")
    flowsums.run(NOW)
    flowsums.run(after(minutes=1))

    old, young = TransferSum.objects.order_by("hour")
    assert (old.hour, old.done, old.tries, old.bytes) == (after(hours=-84), 2, 2, 20)
    assert (young.hour, young.done) == (after(hours=-30), 1)
    failures = TransferFailure.objects.order_by("hour")
    assert [(one.n, one.sample) for one in failures] == [(2, "at -79"), (1, "at -30")]


def test_sums_are_kept_for_a_month() -> None:
    ended("failed", after(hours=-1), error="x")
    flowsums.run(NOW)

    flowsums.run(after(days=40))

    assert not TransferSum.objects.exists() and not TransferFailure.objects.exists()


def test_one_sample_of_space_is_kept_for_each_hour() -> None:
    full = {"capacity_bytes": 100, "free_bytes": 40, "measured_at": NOW}
    create_storage("BNL", **full)
    create_storage("NEVER")
    flowsums.sample_space(NOW)
    StorageElement.objects.update(free_bytes=30)
    flowsums.sample_space(after(minutes=50))
    flowsums.sample_space(after(minutes=70))

    kept = SpaceSample.objects.order_by("hour").values_list("storage__name", "hour", "free_bytes")
    assert [*kept] == [("BNL", NOW, 30), ("BNL", after(hours=1), 30)]

    flowsums.sample_space(after(days=401))
    assert SpaceSample.objects.count() == 1
