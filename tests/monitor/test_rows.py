"""The arithmetic of a row, and where its numbers lead. No database."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from jobs.counts import Count
from monitor.rows import Links, Row, cells
from monitor.words import ago, plural, span

LINKS = Links.of(window="12h", cloud="US", site="AGLT2", kind="")


def row(payload_failed: int = 0, **states: int) -> Row:
    return Row(name="AGLT2", states=Counter(states), payload_failed=payload_failed)


def cell(row: Row, key: str) -> Any:
    return next(cell for cell in cells(row, LINKS) if cell.key == key)


@pytest.mark.parametrize(
    ("failed", "finished", "percent"),
    [(668, 2003, 25), (225, 6263, 3), (1, 60, 2), (1, 0, 100), (0, 219, 0), (1, 199, 1)],
)
def test_the_failure_rate_is_failed_of_ended_rounded_halves_up(
    failed: int, finished: int, percent: int
) -> None:
    assert row(failed=failed, finished=finished).tot == percent


def test_payload_and_rest_add_up_to_the_total_rate() -> None:
    # given two shares that both round up by themselves
    mixed = row(payload_failed=5, failed=11, finished=89)
    # then
    assert (mixed.tot, mixed.trf, mixed.other) == (11, 5, 6)


def test_where_nothing_ended_there_is_no_rate() -> None:
    idle = row(running=7, cancelled=3)
    assert [cell(idle, key).text for key in ("tot", "trf", "other")] == ["", "", ""]


def test_jobs_are_the_sum_of_all_states() -> None:
    assert row(running=3, starting=2, cancelled=1, failed=4).jobs == 10


def test_a_total_adds_rows_and_takes_the_latest_change() -> None:
    # given
    early = dt.datetime(2009, 9, 17, 4, tzinfo=dt.UTC)
    late = early + dt.timedelta(minutes=50)
    rows = [row(running=1), row(running=2)]
    rows[0].latest, rows[1].latest = late, early
    # when
    total = Row.total("US", rows)
    # then
    assert (total.states["running"], total.latest) == (3, late)


def test_a_payload_failure_counts_as_failed_too() -> None:
    # given
    found = row()
    # when
    found.count(
        Count(
            cloud_id=1,
            site_id=2,
            label="user",
            state="failed",
            payload_error=True,
            n=2,
            latest=None,
        )
    )
    # then
    assert (found.states["failed"], found.payload_failed) == (2, 2)


def test_a_number_of_ended_jobs_leads_to_those_of_the_window() -> None:
    found = cell(row(failed=3), "failed")
    assert found.url == "/jobs/?cloud=US&site=AGLT2&state=failed&ended=12h"


def test_a_number_of_live_jobs_leads_to_all_of_them() -> None:
    assert cell(row(running=3), "running").url == "/jobs/?cloud=US&site=AGLT2&state=running"


def test_the_second_number_of_transferring_leads_to_those_that_are_stale() -> None:
    # given
    found = row(transferring=9)
    found.stale_transferring = 2
    # then
    assert cell(found, "transferring").after_url.endswith("state=transferring&idle=36h")


def test_a_zero_leads_nowhere() -> None:
    assert all(not cell.url and not cell.after_url for cell in cells(row(), LINKS))


def test_a_rate_over_the_limit_is_marked_but_not_of_a_few_jobs() -> None:
    assert row(failed=2, finished=3).fails_a_lot
    assert not row(failed=1, finished=4).fails_a_lot
    assert not row(failed=4).fails_a_lot


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_an_age_has_one_unit(seconds: float, words: str) -> None:
    assert ago(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "< 1 s"), (42, "42 s"), (3605, "1 h"), (3900, "1 h 5 min"), (90_061, "1 d 1 h")],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_one_thing_is_no_plural() -> None:
    assert [plural(1, "job"), plural(0, "job"), plural(1200, "job")] == [
        "1 job",
        "0 jobs",
        "1,200 jobs",
    ]
