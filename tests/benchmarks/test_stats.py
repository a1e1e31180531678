"""Percentiles and counts."""

from __future__ import annotations

import math

import pytest

from benchmarks.stats import Tally, percentile


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_a_percentile_is_the_value_of_its_rank(share: float, value: int):
    assert percentile(range(1, 101), share) == value


def test_a_percentile_of_few_is_one_of_them():
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert math.isnan(percentile([], 0.5))


def test_a_tally_counts_answers_by_status_and_those_that_are_errors():
    tally = Tally()
    for status, seconds in ((200, 0.001), (201, 0.002), (503, 0.3)):
        tally.add(status, seconds)

    assert (len(tally), tally.errors) == (3, 1)
    assert tally.as_json() == {
        "answers": 3,
        "p50_ms": 2.0,
        "p95_ms": 300.0,
        "p99_ms": 300.0,
        "statuses": {"200": 1, "201": 1, "503": 1},
    }


def test_a_tally_of_nothing_has_no_percentiles():
    assert Tally().as_json() == {"answers": 0, "statuses": {}}
