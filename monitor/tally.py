"""Counting the values of many columns of jobs in one pass: `TALLIED` says which.

Used for the jobs that a search finds, and for whole tables by the sweep that keeps `FacetCount`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum

from jobs.models import ERROR_COMPONENTS
from monitor.models import FacetCount, FacetShelf, FacetSum
from pandasite.base.rounds import Round

_HUNDRED = "(current_priority - CASE WHEN current_priority < 0 THEN 99 ELSE 0 END) / 100 * 100"
# By box, which is also the name of the filter: the column.
TALLIED: dict[str, str] = {
    "state": "state",
    "cloud": "cloud_id",
    "site": "computing_site_id",
    "label": "prod_source_label",
    "processing_type": "processing_type",
    "transformation": "transformation",
    "user": "prod_user_id",
    "group": "working_group",
    "vo": "vo_id",
    "task": "task_id",
    "priority": _HUNDRED,
    "attempt": "attempt_nr",
    "max_attempt": "max_attempt",
    "cores": "core_count",
    "memory": "min_ram_count",
    "release": "atlas_release",
    "platform": "cmt_config",
    "package": "homepackage",
    "node": "node",
    "exit_code": "trans_exit_code",
    "destination": "destination_se_id",
    "input": "prod_d_block",
    "output": "destination_d_block",
    **{f"error:{component}": f"{component}_error_code" for component in ERROR_COMPONENTS},
}
COLUMNS = sorted({"current_priority", *TALLIED.values()} - {TALLIED["priority"]})
KEPT = 200  # values of a box that the sweep keeps of each shelf
COMBINED = 20_000  # combinations of a group that the sweep counts
SWEEP_SECONDS = 40.0  # of a round; a table of a million jobs takes some of them
STATEMENT_MS = 45_000
Tally = dict[str, dict[str | None, int]]  # by box: how many jobs have each value

# Attributes that go together: a pass counts their combinations, which are far fewer than jobs, for
# a quarter of the time that it takes to count each attribute on its own.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("processing_type", "transformation", "release", "platform", "package", "cores", "memory",
     "max_attempt"),
    ("cloud", "site"),
    ("label", "vo", "group", "user"),
    ("state", "attempt", "exit_code", *(box for box in TALLIED if box.startswith("error:"))),
    ("output", "destination"),
    ("task",), ("priority",), ("node",), ("input",),
)  # fmt: skip
_PLACES = {box: f"c{place}" for place, box in enumerate(TALLIED)}
_EVERY = 2 ** len(TALLIED) - 1
# As grouping() has it: a bit for each attribute, the first one the highest; those of a group are 0.
_MASKS = {
    group: _EVERY - sum(2 ** (len(TALLIED) - 1 - [*TALLIED].index(box)) for box in group)
    for group in GROUPS
}
_COUNT = """
WITH columns AS (SELECT {columns} FROM ({source}) picked),
grouped AS (
  SELECT grouping({places}) AS mask, {places}, count(*) AS n
  FROM columns GROUP BY GROUPING SETS ((), {sets})
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY mask ORDER BY n DESC) AS place FROM grouped
)
SELECT mask, CASE mask {values} END, n FROM ranked
WHERE place <= CASE WHEN mask = ANY (%s) THEN %s ELSE %s END
"""
WORK_MEM = "64MB"  # of a pass: with the usual 4 MB it goes by way of the disk


def tally(source: str, params: Sequence[Any], *, keep: int, most: int) -> tuple[int, Tally]:
    """How many rows `source` has, and the `keep` most frequent values of each box.

    `source` is a SELECT that has at least COLUMNS. Of attributes that go together the `most`
    frequent combinations are counted.
    """
    alone = [mask for group, mask in _MASKS.items() if len(group) == 1]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = %s", [WORK_MEM])
        cursor.execute(_statement(source), [*params, alone, keep, most])
        return _sorted_out(cursor.fetchall(), keep)


def _statement(source: str) -> str:
    columns = ", ".join(f"{column} AS {_PLACES[box]}" for box, column in TALLIED.items())
    arrays = {
        mask: ", ".join(f"{_PLACES[box]}::text" for box in group) for group, mask in _MASKS.items()
    }
    return _COUNT.format(
        source=source,
        columns=columns,
        places=", ".join(_PLACES.values()),
        sets=", ".join(f"({', '.join(_PLACES[box] for box in group)})" for group in GROUPS),
        values=" ".join(f"WHEN {mask} THEN ARRAY[{array}]" for mask, array in arrays.items()),
    )


def _sorted_out(
    rows: Sequence[tuple[int, list[str | None] | None, int]], keep: int
) -> tuple[int, Tally]:
    group_of = {mask: group for group, mask in _MASKS.items()}
    total, found = 0, {box: Counter[str | None]() for box in TALLIED}
    for mask, values, n in rows:
        if values is None:
            total = n
            continue
        for box, value in zip(group_of[mask], values, strict=True):
            found[box][value] += n
    return total, {box: dict(counter.most_common(keep)) for box, counter in found.items()}


# -- the sweep -----------------------------------------------------------------------------------

_SHELVES = """
SELECT c.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.oid = 'jobs_job'::regclass
  OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'jobs_endedjob'::regclass)
ORDER BY 1
"""


def run(now: dt.datetime) -> int:
    """Count the shelves anew that have changed, the longest ago first; returns how many.

    What the time of the round does not allow is left to the next one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SHELVES)
        there: dict[str, int] = dict(cursor.fetchall())
    FacetShelf.objects.exclude(name__in=there).delete()  # weeks that were dropped
    known = {shelf.name: shelf for shelf in FacetShelf.objects.all()}
    due = [n for n, changes in there.items() if n not in known or known[n].changes != changes]
    # What has not changed since is so now.
    FacetShelf.objects.filter(name__in=there.keys() - {*due}).update(as_of=now)
    due.sort(key=lambda name: known[name].as_of.timestamp() if name in known else 0.0)
    work = Round(seconds=SWEEP_SECONDS)
    for name in due:
        if work.over:
            break
        work.do(f"table {name}", partial(_count, name, there[name], now))
    _add_up()
    return work.end()


def _count(table: str, changes: int, now: dt.datetime) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_MS])
        source = f"SELECT {', '.join(COLUMNS)} FROM {connection.ops.quote_name(table)}"
        jobs, found = tally(source, (), keep=KEPT, most=COMBINED)
        said = {"as_of": now, "jobs": jobs, "changes": changes}
        shelf, _made = FacetShelf.objects.update_or_create(name=table, defaults=said)
        FacetCount.objects.filter(shelf=shelf).delete()
        FacetCount.objects.bulk_create(
            FacetCount(shelf=shelf, box=box, value="" if value is None else value, n=n)
            for box, values in found.items()
            for value, n in _merged(values).items()
        )
    return 1


def _merged(values: Mapping[str | None, int]) -> dict[str, int]:
    """None and '' are the same to a filter."""
    found: defaultdict[str, int] = defaultdict(int)
    for value, n in values.items():
        found[value or ""] += n
    return found


def _add_up() -> None:
    """Keep the sum of all shelves, however many weeks there are: a page reads no more than that."""
    oldest = FacetShelf.objects.order_by("as_of").values_list("as_of", flat=True).first()
    if oldest is None:
        return
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    summed = FacetCount.objects.values("box", "value").annotate(jobs=Sum(F("n")))
    for box, value, n in summed.values_list("box", "value", "jobs").order_by():
        found[box][value] = n
    boxes = {box: dict(values.most_common(KEPT)) for box, values in found.items()}
    FacetSum.objects.update_or_create(pk=1, defaults={"as_of": oldest, "boxes": boxes})


def kept() -> tuple[dt.datetime | None, Tally]:
    """The values of all jobs as of the oldest count of a shelf, which is None before the first."""
    known = FacetSum.objects.first()
    return (known.as_of, known.boxes) if known else (None, {})
