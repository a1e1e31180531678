"""Buckets of time, bins of durations, and what can be read off them. Pure."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence

MINUTE, HOUR, DAY = 60, 3600, 86_400
SAMPLE = 5 * MINUTE
WEEK = 7 * DAY
# Buckets of a week begin on Mondays, and all others fit into them.
ORIGIN = dt.datetime(1970, 1, 5, tzinfo=dt.UTC)

SAMPLES_KEPT = 2 * DAY
# Buckets of so many seconds, until they are so old: then they become one of the next size.
AGES = ((HOUR, 8 * DAY), (4 * HOUR, 35 * DAY), (DAY, 183 * DAY))
SPANS = (HOUR, 4 * HOUR, DAY, WEEK)

# Where bins of durations begin (s), behind the first one, which begins with 0.
EDGES: tuple[int, ...] = (
    1, 2, 5, 10, 20, 30,
    60, 120, 300, 600, 900, 1200, 1800, 2700,
    3600, 5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 64_800,
    86_400, 129_600, 172_800, 259_200, 345_600, 432_000, 604_800, 864_000, 1_209_600, 1_814_400,
    2_419_200,
)  # fmt: skip
BINS = len(EDGES) + 1


def span_of(hours: int) -> int:
    """The size of the buckets (s) of a plot over so many hours: the finest that are still there."""
    kept = next((span for span, age in AGES if hours * HOUR <= age), WEEK)
    return SAMPLE if hours * HOUR <= SAMPLES_KEPT else kept


def ended_span(hours: int) -> int:
    """The same for what is known by the hour."""
    return max(HOUR, span_of(hours))


def floor(time: dt.datetime, span: int) -> dt.datetime:
    """The beginning of the bucket of `span` seconds that a time is in."""
    return time - (time - ORIGIN) % dt.timedelta(seconds=span)


def starts(since: dt.datetime, until: dt.datetime, span: int) -> list[int]:
    """The beginnings of all buckets from `since` up to before `until`, in epoch seconds."""
    first = int(floor(since, span).timestamp())
    return list(range(first, int(until.timestamp()), span))


def bin_of(seconds: float) -> int:
    """The bin of a duration, 0 to BINS - 1; PostgreSQL's width_bucket(seconds, EDGES)."""
    return bisect_right(EDGES, seconds)


def bounds(nr: int) -> tuple[int, int]:
    """Where a bin begins and ends (s); the last one has no end but twice its beginning."""
    low = EDGES[nr - 1] if nr else 0
    return low, EDGES[nr] if nr < len(EDGES) else 2 * low


def quantile(bins: Sequence[int], share: float) -> float | None:
    """The duration (s) that `share` (0..1) of all are not above; None of none.

    Within a bin all are taken to lie evenly, so it is wrong by less than the width of the bin.
    """
    total = sum(bins)
    if not total:
        return None
    wanted, before = share * total, 0
    for nr, n in enumerate(bins):
        if n and before + n >= wanted:
            low, high = bounds(nr)
            return low + (high - low) * (wanted - before) / n
        before += n
    return None


def label(nr: int) -> str:
    """A bin in words: `5 - 10 min`, `45 min - 1 h`, `28 d +`."""
    low, high = bounds(nr)
    if nr == len(EDGES):
        return f"{_words(low)} +"
    if not nr:
        return f"< {_words(high)}"
    first, second = _words(low), _words(high)
    same = first.split()[1] == second.split()[1]
    return f"{first.split()[0] if same else first} - {second}"


def _words(seconds: int) -> str:
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds} s"
