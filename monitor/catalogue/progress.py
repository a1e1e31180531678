"""How far subscriptions are, many at once: what is there, what is missing, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Sum

from datasets.models import DatasetCopy, Subscription, TransferQueue, TransferSum
from monitor.words import window_start

COUNTED = 2000  # files: of larger datasets the kept sums are shown
PACE_HOURS = 4
Progress = tuple[int, int, int]  # files, those that are there, bytes that are not

# Of each: its files, those that are there, the bytes that are not; and of the first missing ones
# the last that was said. `permanent`: no try will ever bring it.
_COUNTS = """
SELECT s.id, count(*), count(r.id), coalesce(sum(f.size) FILTER (WHERE r.id IS NULL), 0)
FROM datasets_subscription s JOIN datasets_datasetfile m ON m.dataset_id = s.dataset_id
JOIN datasets_file f ON f.id = m.file_id
LEFT JOIN datasets_replica r ON r.file_id = m.file_id AND r.storage_id = s.storage_id
  AND r.state = 'available'
WHERE s.id = ANY(%s) GROUP BY s.id
"""
_LAST = """
SELECT s.id, t.state, t.permanent, t.reason, t.error, t.next_try_at, t.created_at, t.lfn
FROM datasets_subscription s CROSS JOIN LATERAL (
  SELECT t.*, f.lfn FROM (
    SELECT m.file_id FROM datasets_datasetfile m WHERE m.dataset_id = s.dataset_id
      AND NOT EXISTS (SELECT 1 FROM datasets_replica r WHERE r.file_id = m.file_id
        AND r.storage_id = s.storage_id AND r.state = 'available')
    LIMIT 20
  ) missing CROSS JOIN LATERAL (
    SELECT * FROM datasets_transfer t WHERE t.file_id = missing.file_id
      AND t.destination_id = s.storage_id AND t.state <> 'done'
      AND (t.ended_at IS NULL OR t.ended_at >= s.created_at)
    ORDER BY t.id DESC LIMIT 1
  ) t JOIN datasets_file f ON f.id = t.file_id
  ORDER BY t.permanent DESC, (t.error <> '') DESC, t.id DESC LIMIT 1
) t WHERE s.id = ANY(%s)
"""


@dataclass(frozen=True, kw_only=True)
class Last:
    """The transfer of a missing file that says most of why it is missing."""

    state: str
    permanent: bool
    reason: str
    error: str
    next_try_at: dt.datetime
    created_at: dt.datetime  # wanted since then
    lfn: str


def of(rows: Sequence[Subscription]) -> dict[int, Progress]:
    """By key of the subscription: counted, or of large datasets as the sweep left it."""
    small = [one.pk for one in rows if one.dataset.n_files <= COUNTED]
    return counted(small) | kept([one for one in rows if one.dataset.n_files > COUNTED])


def counted(keys: Sequence[int]) -> dict[int, Progress]:
    """By key of the subscription, as of now."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [[*keys]])
        return {key: (files, ready, int(missing)) for key, files, ready, missing in cursor}


def kept(rows: Sequence[Subscription]) -> dict[int, Progress]:
    """By the sums that are kept, as old as the sweep's last look."""
    copies = DatasetCopy.objects.filter(dataset__in=[one.dataset_id for one in rows])
    there = {(one.dataset_id, one.storage_id): one for one in copies}
    found = {}
    for one in rows:
        copy = there.get((one.dataset_id, one.storage_id))
        files, moved = (copy.files, copy.bytes) if copy else (0, 0)
        found[one.pk] = (one.dataset.n_files, files, max(0, one.dataset.n_bytes - moved))
    return found


def lasts(keys: Sequence[int]) -> dict[int, Last]:
    """What the transfers of the missing files say, by key of the subscription."""
    names = ("state", "permanent", "reason", "error", "next_try_at", "created_at", "lfn")
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [[*keys]])
        return {key: Last(**dict(zip(names, row, strict=True))) for key, *row in cursor.fetchall()}


def expected(storages: set[int], *, now: dt.datetime) -> Mapping[int, dt.datetime]:
    """When what waits for each storage element is there, at its pace of the last hours."""
    since = window_start(now, PACE_HOURS)
    moved = TransferSum.objects.filter(hour__gte=since, destination__in=storages).order_by()
    pace = dict(moved.values_list("destination").annotate(n=Sum("bytes")))
    queue = TransferQueue.objects.filter(destination__in=storages).order_by()
    left = dict(queue.values_list("destination").annotate(n=Sum("bytes")))
    span = (now - since).total_seconds()
    longest = 365 * 86_400
    found = {}
    for key, n in pace.items():
        seconds = span * float(left.get(key, 0)) / float(n) if n else longest
        if seconds < longest:
            found[key] = now + dt.timedelta(seconds=seconds)
    return found
