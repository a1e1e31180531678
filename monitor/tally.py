"""Counting the values of many columns of jobs in one pass: `TALLIED` says which.

Used for the jobs that a search finds, and for whole tables by the sweep that keeps `FacetCount`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum

from jobs.models import ERROR_COMPONENTS
from monitor.models import FacetCount, FacetShelf
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
SWEEP_SECONDS = 40.0  # of a round; a table of a million jobs takes some of them
STATEMENT_MS = 45_000
Tally = dict[str, dict[str | None, int]]  # by box: how many jobs have each value

# One pass: a grouping set a box. The bit of the box is the only one that is not set.
_COUNT = """
WITH picked AS ({source}), grouped AS (
  SELECT grouping({places}) AS mask, coalesce({texts}) AS value, count(*) AS n
  FROM (SELECT {columns} FROM picked) columns GROUP BY GROUPING SETS ((), {sets})
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY mask ORDER BY n DESC, value) AS place FROM grouped
)
SELECT mask, value, n FROM ranked WHERE place <= %s
"""


def tally(source: str, params: Sequence[Any], *, keep: int) -> tuple[int, Tally]:
    """How many rows `source` has, and the `keep` most frequent values of each box.

    `source` is a SELECT that has at least COLUMNS.
    """
    names = [f"c{i}" for i in range(len(TALLIED))]
    columns = [f"{column} AS {name}" for column, name in zip(TALLIED.values(), names, strict=True)]
    statement = _COUNT.format(
        source=source,
        places=", ".join(names),
        texts=", ".join(f"{name}::text" for name in names),
        columns=", ".join(columns),
        sets=", ".join(f"({name})" for name in names),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, keep])
        return _sorted_out(cursor.fetchall())


def _sorted_out(rows: Sequence[tuple[int, str | None, int]]) -> tuple[int, Tally]:
    every = 2 ** len(TALLIED) - 1
    box_of = {every - 2**place: box for place, box in enumerate(reversed(TALLIED))}
    total, found = 0, defaultdict[str, dict[str | None, int]](dict)
    for mask, value, n in rows:
        if mask == every:
            total = n
        else:
            found[box_of[mask]][value] = n
    return total, found


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
    due.sort(key=lambda name: known[name].as_of.timestamp() if name in known else 0.0)
    work = Round(seconds=SWEEP_SECONDS)
    for name in due:
        if work.over:
            break
        work.do(f"table {name}", partial(_count, name, there[name], now))
    return work.end()


def _count(table: str, changes: int, now: dt.datetime) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_MS])
        source = f"SELECT {', '.join(COLUMNS)} FROM {connection.ops.quote_name(table)}"
        jobs, found = tally(source, (), keep=KEPT)
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


def kept() -> tuple[dt.datetime | None, dict[str, dict[str | None, int]]]:
    """The values of all jobs as of the oldest count of a shelf, which is None before the first."""
    shelves = FacetShelf.objects.order_by("as_of").values_list("as_of", flat=True)
    found: defaultdict[str, dict[str | None, int]] = defaultdict(dict)
    summed = FacetCount.objects.values("box", "value").annotate(jobs=Sum(F("n")))
    for box, value, n in summed.values_list("box", "value", "jobs").order_by():
        found[box][value] = n
    return shelves.first(), found
