"""Adding up the catalogue by what the names of its datasets say, a slice of it at a time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import partial

from django.db import connection, transaction

from datasets.models import Dataset
from datasets.names import Physics, parse
from monitor.models import PhysicsTally
from pandasite.base.models import Patrol
from pandasite.base.rounds import Round

SWEEP = "monitor.sum_physics"
SLICE = 5000  # numbers of datasets

_SLICE = """
SELECT d.name, d.created_at, count(f.id), coalesce(sum(f.size), 0), coalesce(sum(f.events), 0),
  count(f.events)
FROM datasets_dataset d
LEFT JOIN datasets_datasetfile m ON m.dataset_id = d.id
LEFT JOIN datasets_file f ON f.id = m.file_id
WHERE d.id >= %s AND d.id < %s AND d.type IN ('input', 'destination') GROUP BY d.id
"""


def run(now: dt.datetime) -> int:
    """One round: as many slices as there is time for, from where the last one ended."""
    newest = Dataset.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    slices = newest // SLICE + 1
    kept = Patrol.objects.filter(name=SWEEP).first()
    at, work = (kept.after if kept else -1), Round()
    for _ in range(slices):
        at = (at + 1) % slices
        if not work.do(f"datasets from {at * SLICE} on", partial(_slice, at, now)) or work.over:
            break
    Patrol.objects.update_or_create(name=SWEEP, defaults={"after": at, "news_until": now})
    return work.end()


def _slice(nr: int, now: dt.datetime) -> int:
    sums: dict[Physics, PhysicsTally] = {}
    rows: dict[Physics, list[tuple[dt.datetime, int, int, int, int]]] = defaultdict(list)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SLICE, [nr * SLICE, (nr + 1) * SLICE])
        for name, *numbers in cursor.fetchall():
            rows[parse(name)].append(tuple(numbers))
        for what, found in rows.items():
            made, files, size, events, counted = zip(*found, strict=True)
            sums[what] = PhysicsTally(
                slice=nr,
                **vars(what),
                datasets=len(found),
                files=sum(files),
                size=sum(map(int, size)),
                events=sum(map(int, events)),
                counted=sum(counted),
                latest=max(made),
                as_of=now,
            )
        PhysicsTally.objects.filter(slice=nr).delete()
        PhysicsTally.objects.bulk_create(sums.values())
    return len(sums)
