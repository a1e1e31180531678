"""Adding up transfers: by the hour of their end, and those that wait, for the DDM dashboard.

An hour is counted anew in each round until it is over by MARGIN, and written where it differs.
Sums of days are kept beside; hours become days when they are older than any window that has hours.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.db import connection, transaction

from datasets.models import (
    SpaceSample,
    StorageElement,
    Transfer,
    TransferDay,
    TransferFailure,
    TransferSum,
)
from datasets.space import capacity_of
from pandasite.base.models import Patrol
from pandasite.base.rounds import Round

SWEEP = "datasets.sum_transfers"
HOUR = dt.timedelta(hours=1)
MARGIN = dt.timedelta(minutes=10)  # an end may be seen later than its time says: on its commit
STUCK = dt.timedelta(hours=24)
BACK = dt.timedelta(days=8)  # that a first round, or one after a pause, makes up
HOURLY = dt.timedelta(hours=48)  # younger sums are by the hour, older ones by the day (UTC)
KEPT = dt.timedelta(days=31)
SPACE_KEPT = dt.timedelta(days=400)

_BY = "source_id, destination_id, activity, vo"
_ENDED = "FROM datasets_transfer WHERE ended_at >= %(hour)s AND ended_at < %(end)s"
_SUMS = f"""
WITH new AS (
  SELECT {_BY}, count(*) FILTER (WHERE state = 'done') AS done,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    sum(greatest(attempts - (state = 'done')::int, 0)) AS tries, sum(bytes_moved) AS bytes,
    coalesce(sum(greatest(extract(epoch FROM ended_at - started_at), 0))
      FILTER (WHERE state = 'done'), 0) AS seconds
  {_ENDED} GROUP BY {_BY}
)
INSERT INTO datasets_transfersum AS s (hour, {_BY}, done, failed, tries, bytes, seconds)
SELECT %(hour)s, {_BY}, done, failed, tries, bytes, seconds FROM new
ON CONFLICT (hour, destination_id, source_id, activity, vo) DO UPDATE SET done = excluded.done,
  failed = excluded.failed, tries = excluded.tries, bytes = excluded.bytes,
  seconds = excluded.seconds
WHERE (s.done, s.failed, s.tries, s.bytes)
  IS DISTINCT FROM (excluded.done, excluded.failed, excluded.tries, excluded.bytes)
"""
# Of the day of an hour that has changed, from its hours: a day is at most some 24 rows a link.
_DAYS = f"""
INSERT INTO datasets_transferday AS s (hour, {_BY}, done, failed, tries, bytes, seconds)
SELECT %(day)s, {_BY}, sum(done), sum(failed), sum(tries), sum(bytes), sum(seconds)
FROM datasets_transfersum WHERE hour >= %(day)s AND hour < %(day)s + interval '24 hours'
GROUP BY {_BY}
ON CONFLICT (hour, destination_id, source_id, activity, vo) DO UPDATE SET done = excluded.done,
  failed = excluded.failed, tries = excluded.tries, bytes = excluded.bytes,
  seconds = excluded.seconds
WHERE (s.done, s.failed, s.tries, s.bytes)
  IS DISTINCT FROM (excluded.done, excluded.failed, excluded.tries, excluded.bytes)
"""
# The sample is the latest: transfers get their numbers in the order in which they are made.
_FAILURES = f"""
INSERT INTO datasets_transferfailure AS s (hour, {_BY}, reason, n, sample, transfer, latest)
SELECT %(hour)s, {_BY}, coalesce(nullif(reason, ''), 'other'), count(*),
  left((array_agg(error ORDER BY id DESC))[1], 500), max(id), max(ended_at)
{_ENDED} AND state = 'failed' GROUP BY {_BY}, coalesce(nullif(reason, ''), 'other')
ON CONFLICT (hour, destination_id, source_id, activity, vo, reason) DO UPDATE
SET n = excluded.n, sample = excluded.sample, transfer = excluded.transfer, latest = excluded.latest
WHERE (s.n, s.transfer) IS DISTINCT FROM (excluded.n, excluded.transfer)
"""
# Rows of days that are over become one; a day that was folded has only rows of its midnight.
_DAY = "date_trunc('day', hour, 'UTC')"
_OLD = f"WHERE hour < %(cut)s AND hour <> {_DAY} RETURNING *"
_FOLD_SUMS = f"""
WITH old AS (DELETE FROM datasets_transfersum {_OLD})
INSERT INTO datasets_transfersum AS s (hour, {_BY}, done, failed, tries, bytes, seconds)
SELECT {_DAY}, {_BY}, sum(done), sum(failed), sum(tries), sum(bytes), sum(seconds)
FROM old GROUP BY {_DAY}, {_BY}
ON CONFLICT (hour, destination_id, source_id, activity, vo) DO UPDATE
SET done = s.done + excluded.done, failed = s.failed + excluded.failed,
  tries = s.tries + excluded.tries, bytes = s.bytes + excluded.bytes,
  seconds = s.seconds + excluded.seconds
"""
_FOLD_FAILURES = f"""
WITH old AS (DELETE FROM datasets_transferfailure {_OLD})
INSERT INTO datasets_transferfailure AS s (hour, {_BY}, reason, n, sample, transfer, latest)
SELECT {_DAY}, {_BY}, reason, sum(n), (array_agg(sample ORDER BY latest DESC))[1],
  max(transfer), max(latest)
FROM old GROUP BY {_DAY}, {_BY}, reason
ON CONFLICT (hour, destination_id, source_id, activity, vo, reason) DO UPDATE
SET n = s.n + excluded.n, sample = excluded.sample, transfer = excluded.transfer,
  latest = excluded.latest
"""
_QUEUE = f"""
INSERT INTO datasets_transferqueue ({_BY}, state, reason, n, bytes, oldest, stuck, sample)
SELECT {_BY}, state, CASE WHEN error = '' THEN '' ELSE coalesce(nullif(reason, ''), 'other') END,
  count(*), sum(f.size), min(t.created_at), count(*) FILTER (WHERE t.created_at < %s),
  left(max(error), 500)
FROM datasets_transfer t JOIN datasets_file f ON f.id = t.file_id
WHERE state IN ('queued', 'copying') GROUP BY {_BY}, state, 6
"""


def run(now: dt.datetime) -> int:
    """One round: hours that are not over yet or were missed, and what waits; rows written."""
    work = Round()
    with transaction.atomic():
        Patrol.objects.get_or_create(name=SWEEP, defaults={"after": 0, "news_until": now - BACK})
        # One round at a time: another one waits here, and finds nothing left to do.
        kept = Patrol.objects.select_for_update().get(name=SWEEP)
        hour, undecided = max(kept.news_until, now - BACK), _full_hour(now - MARGIN)
        while hour <= now and not work.over:
            hour = _next(hour, now)
            if not work.do(f"hour {hour:%m-%d %H}", partial(_hour, hour)):
                break
            hour += HOUR
            kept.news_until = min(hour, undecided)
        kept.save()
        work.do("queue", partial(_queue, now))
        work.do("days", partial(_fold, min(now - HOURLY, kept.news_until)))
    TransferSum.objects.filter(hour__lt=now - KEPT).delete()
    TransferDay.objects.filter(hour__lt=now - KEPT).delete()
    TransferFailure.objects.filter(hour__lt=now - KEPT).delete()
    return work.end()


def _next(time: dt.datetime, now: dt.datetime) -> dt.datetime:
    """The first hour from then on in which something ended; at last the hour that it is."""
    ends = Transfer.objects.filter(ended_at__gte=_full_hour(time)).order_by("ended_at")
    first = ends.values_list("ended_at", flat=True).first()
    return _full_hour(min(first or now, now))


def _hour(hour: dt.datetime) -> int:
    bounds = {"hour": hour, "end": hour + HOUR}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SUMS, bounds)
        if rows := int(cursor.rowcount):
            cursor.execute(_DAYS, {"day": _midnight(hour)})
        cursor.execute(_FAILURES, bounds)
        return rows + int(cursor.rowcount)


def _queue(now: dt.datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM datasets_transferqueue")
        cursor.execute(_QUEUE, [now - STUCK])
        return int(cursor.rowcount)


def _fold(until: dt.datetime) -> int:
    """Hours of days that ended before then; none that may still be counted anew."""
    cut = _midnight(until)
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (_FOLD_SUMS, _FOLD_FAILURES):
            cursor.execute(statement, {"cut": cut})
        return int(cursor.rowcount)


def sample_space(now: dt.datetime) -> int:
    """Note how full each storage element is, as last measured; one sample an hour is kept."""
    measured = StorageElement.objects.exclude(measured_at=None).exclude(free_bytes=None)
    hour = _full_hour(now)
    samples = [
        SpaceSample(
            storage=one, hour=hour, capacity_bytes=capacity_of(one), free_bytes=one.free_bytes or 0
        )
        for one in measured
    ]
    SpaceSample.objects.bulk_create(
        samples,
        update_conflicts=True,
        unique_fields=["storage", "hour"],
        update_fields=["capacity_bytes", "free_bytes"],
    )
    SpaceSample.objects.filter(hour__lt=now - SPACE_KEPT).delete()
    return len(samples)


def _midnight(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _full_hour(time: dt.datetime) -> dt.datetime:
    return time.replace(minute=0, second=0, microsecond=0)
