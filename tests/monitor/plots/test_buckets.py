"""Buckets of time and bins of durations."""

import datetime as dt
import math
import random
from itertools import pairwise

import pytest

from monitor.plots import buckets
from monitor.plots.buckets import BINS, DAY, EDGES, HOUR, SAMPLE, WEEK

TIME = dt.datetime(2009, 9, 17, 12, 34, 56, tzinfo=dt.UTC)  # a Thursday


@pytest.mark.parametrize(("span", "start"), [
    (SAMPLE, "2009-09-17T12:30"), (HOUR, "2009-09-17T12:00"), (4 * HOUR, "2009-09-17T12:00"),
    (DAY, "2009-09-17T00:00"), (WEEK, "2009-09-14T00:00"),
])  # fmt: skip
def test_a_bucket_begins_at_a_full_hour_day_or_monday(span, start):
    assert buckets.floor(TIME, span) == dt.datetime.fromisoformat(start).replace(tzinfo=dt.UTC)
    assert buckets.floor(buckets.floor(TIME, span), span) == buckets.floor(TIME, span)


def test_every_bucket_fits_into_the_larger_ones():
    spans = (SAMPLE, *buckets.SPANS)

    for small, large in pairwise(spans):
        assert large % small == 0
        assert buckets.floor(buckets.floor(TIME, large), small) == buckets.floor(TIME, large)


@pytest.mark.parametrize(("hours", "span"), [
    (1, SAMPLE), (48, SAMPLE), (49, HOUR), (8 * 24, HOUR), (8 * 24 + 1, 4 * HOUR),
    (35 * 24, 4 * HOUR), (35 * 24 + 1, DAY), (183 * 24, DAY), (183 * 24 + 1, WEEK),
])  # fmt: skip
def test_a_plot_has_the_finest_buckets_that_are_kept_for_all_of_it(hours, span):
    assert buckets.span_of(hours) == span
    assert buckets.ended_span(hours) == max(span, HOUR)


def test_no_plot_has_more_than_some_hundreds_of_points():
    for hours in range(1, 2 * 365 * 24):
        assert hours * HOUR / buckets.span_of(hours) <= 600


def test_the_beginnings_cover_the_time_without_a_gap():
    found = buckets.starts(TIME, TIME + dt.timedelta(hours=3), HOUR)

    assert found[0] == int(TIME.replace(minute=0, second=0).timestamp())
    assert len(found) == 4
    assert {b - a for a, b in pairwise(found)} == {HOUR}


def test_a_duration_is_in_the_bin_between_its_bounds():
    for seconds in (0, 0.5, *EDGES, *(edge - 0.1 for edge in EDGES), 1e9):
        low, high = buckets.bounds(buckets.bin_of(seconds))
        assert low <= seconds
        assert seconds < high or low == EDGES[-1]


def test_a_quantile_is_wrong_by_less_than_a_bin():
    dice = random.Random(1)
    for _ in range(50):
        values = sorted(dice.lognormvariate(6, 2) for _ in range(dice.randint(1, 300)))
        bins = [0] * BINS
        for value in values:
            bins[buckets.bin_of(value)] += 1
        for share in (0.5, 0.9):
            true = values[math.ceil(len(values) * share) - 1]
            low, high = buckets.bounds(buckets.bin_of(true))
            found = buckets.quantile(bins, share)
            assert low <= found <= high


def test_there_is_no_quantile_of_nothing():
    assert buckets.quantile([0] * BINS, 0.5) is None


def test_bins_are_named_in_words():
    names = [buckets.label(nr) for nr in range(BINS)]

    assert names[0] == "< 1 s"
    assert names[buckets.bin_of(300)] == "5 - 10 min"
    assert names[buckets.bin_of(2700)] == "45 min - 1 h"
    assert names[-1] == "28 d +"
    assert len(set(names)) == BINS
