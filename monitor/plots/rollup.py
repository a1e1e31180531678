"""The sweep that writes the roll-ups: looks at live jobs, closes hours, lets old buckets grow.

Each hour is read once, a while after it is over, through the indexes of the ends of jobs and
transfers; which hours are missing is seen from the rows of the grid. A sweep that was away for a
week makes them up, the latest first; the looks that it missed stay unknown. Of what ended in the
hour that goes on there is a part of a bucket, until that is closed.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from django.db import connection, transaction

from monitor.plots import rollup_sql as sql
from monitor.plots.buckets import AGES, DAY, HOUR, SAMPLE, SAMPLES_KEPT, SPANS, floor
from monitor.plots.models import EndedRoll
from pandasite.base.rounds import Round

# Ends are written with the time that their transaction began: by then all have been seen.
SETTLED = dt.timedelta(minutes=5)
BACK = dt.timedelta(seconds=AGES[0][1])  # hours that are made up; older ones have other buckets
SECONDS = 15.0
LEAST_PART = 60  # s of an hour that are worth a point
PARTS = "monitor.roll_up: parts of hours"


def run(now: dt.datetime) -> int:
    """One round; returns the number of rows written."""
    work = Round(seconds=SECONDS)
    work.do("look at live jobs", partial(sample, now))
    for start in missing_hours(now):
        if work.over:
            break
        work.do(f"hour {start:%Y-%m-%d %H}", partial(close_hour, start))
    work.do("the hour that goes on", partial(part_of_hour, now))
    for (small, age), large in zip(AGES, SPANS[1:], strict=True):
        grow = partial(compact, small, large, before=now - dt.timedelta(seconds=age))
        work.do(f"buckets of {large} s", grow)
    work.do("looks", partial(forget_samples, now))
    return work.end()


def sample(now: dt.datetime) -> int:
    """Live jobs by state, once in each five minutes; 0 when they have been looked at."""
    return _execute(sql.SAMPLE, start=floor(now, SAMPLE), span=SAMPLE)


def missing_hours(now: dt.datetime) -> list[dt.datetime]:
    """Hours that are over and have no row yet, the latest first."""
    values: dict[str, Any] = {
        "since": floor(now - BACK, SPANS[1]),
        "until": floor(now - SETTLED, HOUR),
        "span": HOUR,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.MISSING, values)
        return [start for (start,) in cursor.fetchall()]


def close_hour(start: dt.datetime) -> int:
    """Everything of the hour that begins then, once; returns the number of rows."""
    values = {"start": start, "stop": start + dt.timedelta(seconds=HOUR), "span": HOUR}
    steps: tuple[str, ...] = (sql.HOUR_OF_SPREADS, sql.HOUR_OF_LOOKS, sql.HOUR_OF_ENDS)
    with transaction.atomic():
        _execute(sql.NO_PART, **values)
        return sum(_execute(step, **values) for step in steps)


def part_of_hour(now: dt.datetime) -> int:
    """What has ended in hours that are not closed yet, anew every five minutes; 0 in between.

    Such a bucket is as long as it has gone on, so that rates of it are right; `close_hour` takes
    it away.
    """
    this = floor(now, HOUR)
    with transaction.atomic():
        if not _mine() or _told_lately(this, now):
            return 0
        _execute(sql.NO_PARTS, span=HOUR)
        rows = 0
        for start in sorted({floor(now - SETTLED, HOUR), this}):
            stop = min(now, start + dt.timedelta(seconds=HOUR))
            span = min(int((stop - start).total_seconds()), HOUR - 1)
            if span >= LEAST_PART:
                rows += _execute(sql.HOUR_OF_ENDS, start=start, stop=stop, span=span)
    return rows


def _mine() -> bool:
    """Whether nobody else writes parts of hours just now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [PARTS])
        return bool(cursor.fetchone()[0])


def _told_lately(this: dt.datetime, now: dt.datetime) -> bool:
    parts = EndedRoll.objects.filter(cloud_id=0, site_id=0, span__lt=HOUR, start=this)
    return any(
        this + dt.timedelta(seconds=span + SAMPLE) > now
        for span in parts.values_list("span", flat=True)
    )


def compact(small: int, large: int, *, before: dt.datetime) -> int:
    """Make buckets of `large` seconds that were over before then of those of `small`; the rows."""
    values = {"small": small, "large": large, "before": floor(before, large)}
    with transaction.atomic():
        return sum(_execute(step, **values) for step in sql.COMPACT)


def forget_samples(now: dt.datetime) -> int:
    """Delete looks that the hours have by now; returns how many."""
    before = floor(now - dt.timedelta(seconds=SAMPLES_KEPT + DAY // 2), HOUR)
    return _execute(sql.FORGET, before=before, span=SAMPLE)


def _execute(statement: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
