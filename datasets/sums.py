"""What the catalogue keeps of each dataset: its category, its sums, and how much of it is where.

The sweep hears of new datasets and of new replicas, and patrols all others in turn
(pandasite/base/patrol.py). Blocks only travel: nobody lists them, so they have no sums.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from datasets.browsing import BLOCKS
from datasets.categories import Categories
from datasets.models import Dataset, DatasetCategory, DatasetTally, Replica
from pandasite.base.models import Patrol
from pandasite.base.patrol import NEWS, patrol
from pandasite.base.rounds import Round

SWEEP = "datasets.sum_datasets"
TALLY = "datasets.tally_datasets"  # its patrol; `news_until`: when all slices had been counted
AT_ONCE = 500  # datasets of one transaction
SLICE = 5000  # numbers of datasets that one slice of the tally has
SLICES = 40  # read by one statement

# What is so and was not: a row that stays as it is, is not written.
_SUMS = """
WITH counted AS (
  SELECT d.id, count(f.id) AS n_files, coalesce(sum(f.size), 0) AS n_bytes,
    coalesce(sum(f.events), 0) AS n_events,
    count(f.id) FILTER (WHERE f.bad AND NOT f.good) AS n_lost
  FROM datasets_dataset d
  LEFT JOIN datasets_datasetfile m ON m.dataset_id = d.id
  LEFT JOIN LATERAL (
    SELECT f.id, f.size, f.events,
      bool_or(r.state = 'bad') AS bad, bool_or(r.state = 'available') AS good
    FROM datasets_file f LEFT JOIN datasets_replica r ON r.file_id = f.id
    WHERE f.id = m.file_id GROUP BY f.id
  ) f ON true
  WHERE d.id = ANY(%(ids)s) GROUP BY d.id
)
UPDATE datasets_dataset d SET n_files = c.n_files, n_bytes = c.n_bytes, n_events = c.n_events,
  n_lost = c.n_lost, summed_at = %(now)s
FROM counted c
WHERE d.id = c.id AND (d.summed_at IS NULL OR (d.n_files, d.n_bytes, d.n_events, d.n_lost)
  IS DISTINCT FROM (c.n_files, c.n_bytes, c.n_events, c.n_lost))
"""
_COPIES = """
WITH counted AS (
  SELECT m.dataset_id, r.storage_id, count(*) AS files, sum(f.size) AS bytes
  FROM datasets_datasetfile m JOIN datasets_file f ON f.id = m.file_id
  JOIN datasets_replica r ON r.file_id = m.file_id AND r.state = 'available'
  WHERE m.dataset_id = ANY(%(ids)s) GROUP BY 1, 2
), gone AS (
  DELETE FROM datasets_datasetcopy c WHERE c.dataset_id = ANY(%(ids)s) AND NOT EXISTS (
    SELECT 1 FROM counted n
    WHERE n.dataset_id = c.dataset_id AND n.storage_id = c.storage_id)
)
INSERT INTO datasets_datasetcopy AS c (storage_id, dataset_id, files, bytes)
SELECT storage_id, dataset_id, files, bytes FROM counted ORDER BY 1, 2
ON CONFLICT (storage_id, dataset_id) DO UPDATE SET files = excluded.files, bytes = excluded.bytes
WHERE (c.files, c.bytes) IS DISTINCT FROM (excluded.files, excluded.bytes)
"""
_TALLY = """
SELECT id / %(slice)s, category, project, count(*), sum(n_files), sum(n_bytes)
FROM datasets_dataset
WHERE id >= %(low)s AND id < %(high)s AND category <> '' AND state <> 'erased' GROUP BY 1, 2, 3
"""


def run(now: dt.datetime) -> int:
    """One round; the number of datasets that were looked at."""
    rules = Categories(DatasetCategory.objects.values_list("name", "patterns"))
    look = partial(_look, rules)
    rows = patrol(SWEEP, Dataset.objects.exclude(category=""), news=_news, look=look, now=now)
    return rows + tally(now)


def _news(since: dt.datetime) -> QuerySet[Dataset, int]:
    """Datasets that are new, and those of files with a new replica."""
    new = Dataset.objects.filter(category="").exclude(type__in=BLOCKS).order_by()
    brought = Replica.objects.filter(
        created_at__gte=since, file__memberships__dataset__type__in=_listed_types()
    ).order_by()
    keys = {*new.values_list("pk", flat=True)[:NEWS]}
    keys.update(brought.values_list("file__memberships__dataset", flat=True)[:NEWS])
    return Dataset.objects.filter(pk__in=keys).order_by("pk").values_list("pk", flat=True)


def _listed_types() -> list[str]:
    return [name for name in Dataset.Type.values if name not in BLOCKS]


def _look(rules: Categories, work: Round, ids: Sequence[int], now: dt.datetime) -> bool:
    for begin in range(0, len(ids), AT_ONCE):
        if work.over:
            return False
        some = ids[begin : begin + AT_ONCE]
        work.do(f"datasets {some[0]} to {some[-1]}", partial(refresh, some, rules=rules, now=now))
    return True


def refresh(ids: Sequence[int], *, rules: Categories, now: dt.datetime) -> int:
    """Bring what is kept of these datasets up to date; how many there are."""
    with transaction.atomic():
        # In one order, so that two rounds at once wait for each other.
        held = Dataset.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
        rows = list(held.only("pk", "name", "category", "data_type", "scope"))
        Dataset.objects.bulk_update(_named(rows, rules), ["category", "data_type", "scope"])
        with connection.cursor() as cursor:
            values: dict[str, Any] = {"ids": [row.pk for row in rows], "now": now}
            cursor.execute(_SUMS, values)
            cursor.execute(_COPIES, values)
    return len(rows)


def _named(rows: Sequence[Dataset], rules: Categories) -> list[Dataset]:
    """Those whose name says something else than is kept. A scope that somebody gave stays."""
    changed = []
    for row in rows:
        kind = rules.kind(row.name)
        scope = row.scope or kind.scope
        if (row.category, row.data_type, row.scope) != (kind.category, kind.data_type, scope):
            row.category, row.data_type, row.scope = kind.category, kind.data_type, scope
            changed.append(row)
    return changed


def tally(now: dt.datetime) -> int:
    """Count the catalogue by category and project, from where the last round ended."""
    newest = Dataset.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    slices, work = newest // SLICE + 1, Round()
    kept = Patrol.objects.filter(name=TALLY).first()
    at, done_at = (kept.after if kept else 0), (kept.news_until if kept else now)
    at = 0 if at >= slices else at
    while True:
        well = work.do(f"slices from {at} on", partial(_slices, at))
        at += SLICES if well else 0
        if at >= slices or work.over or not well:
            break
    done_at = now if at >= slices else done_at
    DatasetTally.objects.filter(slice__gte=slices).delete()
    Patrol.objects.update_or_create(name=TALLY, defaults={"after": at, "news_until": done_at})
    return work.end()


Counted = tuple[int, int, int]


def _slices(low: int) -> int:
    """Write the lines of SLICES slices that are not as they were."""
    with connection.cursor() as cursor:
        bounds = {"slice": SLICE, "low": low * SLICE, "high": (low + SLICES) * SLICE}
        cursor.execute(_TALLY, bounds)
        new: dict[tuple[int, str, str], Counted] = {
            (nr, category, project): (n, int(files), int(size))
            for nr, category, project, n, files, size in cursor.fetchall()
        }
    there = DatasetTally.objects.filter(slice__gte=low, slice__lt=low + SLICES)
    old = {(r.slice, r.category, r.project): (r.datasets, r.files, r.size) for r in there}
    stale = {key[0] for key in new.keys() | old.keys() if new.get(key) != old.get(key)}
    with transaction.atomic():
        there.filter(slice__in=stale).delete()
        DatasetTally.objects.bulk_create(
            DatasetTally(
                slice=nr, category=category, project=project, datasets=n, files=files, size=size
            )
            for (nr, category, project), (n, files, size) in sorted(new.items())
            if nr in stale
        )
    return len(stale)
