"""What became of jobs that ended: how many carry which error, what it cost, where; by the hour.

Kept by a trigger with each end and folded by the sweep, as `jobs.counts` is: see jobs/sql/ends.sql.
A reader adds the folded sums and what is not folded yet in one statement, so that what it sees is
exact. Hours become days after three days; a longer window begins at a midnight (UTC).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from pandasite.base.clock import full_hour, midnight

HOURLY = 48  # hours: the longest window that begins at a full hour
DAYS_KEPT = 30  # of workflows and nodes: the longest window
DAYS_APART = 99  # of errors: older days are one sum

# What sums can be asked by, and narrowed down to.
ERROR_KEYS = ("site_id", "domain", "label", "state", "component", "code")
WORKFLOW_KEYS = ("site_id", "label", "processing_type", "transformation", "component", "code")

_ERRORS = """
SELECT {by}sum(n), sum(jobs), sum(cpu_s), sum(lost_s), sum(busy_s), max(latest) FROM (
  SELECT {columns}, n, jobs, cpu_s, lost_s, busy_s, latest FROM {table} WHERE {chosen}
  UNION ALL
  SELECT {columns}, n, jobs, cpu_s, lost_s, busy_s, latest FROM jobs_enddelta WHERE {chosen}
) both_tables {group} HAVING sum(n) <> 0
"""
_WORKFLOWS = """
SELECT {by}sum(n), sum(cpu_s) FROM (
  SELECT {columns}, n, cpu_s FROM jobs_workflowcount WHERE {chosen}
  UNION ALL SELECT {columns}, n, cpu_s FROM jobs_enddelta WHERE component <> '' AND {chosen}
) both_tables {group} HAVING sum(n) <> 0
"""


@dataclass(frozen=True, kw_only=True)
class Span:
    """From `since` (inclusive) to `until` (exclusive, None: open), as the sums have them."""

    since: dt.datetime
    until: dt.datetime | None = None

    @classmethod
    def of_hours(cls, now: dt.datetime, hours: int) -> Span:
        """The last `hours`: since a full hour, over HOURLY since a midnight."""
        return cls(since=opening(now - dt.timedelta(hours=hours), now=now))


def opening(time: dt.datetime, *, now: dt.datetime) -> dt.datetime:
    """From when on a window that is to begin at `time` begins."""
    hour = full_hour(time)
    return hour if is_hourly(time, now=now) else midnight(hour)


def closing(time: dt.datetime, *, now: dt.datetime) -> dt.datetime:
    """When a window ends that is to end at `time`: with that hour, or that day."""
    start = opening(time, now=now)
    whole = dt.timedelta(hours=1) if is_hourly(time, now=now) else dt.timedelta(days=1)
    return time if start == time else start + whole


def is_hourly(time: dt.datetime, *, now: dt.datetime) -> bool:
    """Whether windows begin and end with its hour, and not with its day."""
    return full_hour(time) >= full_hour(now - dt.timedelta(hours=HOURLY))


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A sum and what it is of: `key` has the values asked by, in their order.

    `n` jobs carry it, for `jobs` it is the first error. CPU in seconds (of those n; `lost_s` of
    the first ones), `busy_s` wall time times cores in seconds; `latest` end or None.
    """

    key: tuple[Any, ...]
    n: int
    jobs: int
    cpu_s: int
    lost_s: int
    busy_s: int
    latest: dt.datetime | None


def errors(span: Span, *, by: Iterable[str], **only: Collection[Any] | None) -> list[Sum]:
    """Sums of all jobs that ended within the span; `only` narrows: `label=["user"]`, None: all.

    Jobs that did not fail have component ''.
    """
    by = [*by]
    with connection.cursor() as cursor:
        cursor.execute(*_query(_ERRORS, ERROR_KEYS, span, by, only))
        size = len(by)
        return [
            Sum(
                key=tuple(row[:size]),
                n=int(row[size]),
                jobs=int(row[size + 1]),
                cpu_s=int(row[size + 2]),
                lost_s=int(row[size + 3]),
                busy_s=int(row[size + 4]),
                latest=row[size + 5],
            )
            for row in cursor.fetchall()
        ]


def workflows(
    span: Span, *, by: Iterable[str], **only: Collection[Any] | None
) -> list[tuple[tuple[Any, ...], int, int]]:
    """Failed jobs that carry an error, as (key, n, CPU seconds); the same narrowing."""
    by = [*by]
    with connection.cursor() as cursor:
        cursor.execute(*_query(_WORKFLOWS, WORKFLOW_KEYS, span, by, only))
        size = len(by)
        return [
            (tuple(row[:size]), int(row[size]), int(row[size + 1])) for row in cursor.fetchall()
        ]


def _query(
    sql: str,
    known: Collection[str],
    span: Span,
    by: list[str],
    only: Mapping[str, Collection[Any] | None],
) -> tuple[str, dict[str, Any]]:
    """The statement and its values. Names of columns are ours, never a visitor's."""
    chosen = ["hour >= %(since)s"]
    values: dict[str, Any] = {"since": span.since, "until": span.until}
    if span.until is not None:
        chosen.append("hour < %(until)s")
    for name, wanted in only.items():
        if wanted is not None:
            chosen.append(f"{name} = ANY(%(only_{name})s)")
            values[f"only_{name}"] = list(wanted)
    if unknown := {*by, *only} - {*known}:
        raise ValueError(f"sums are not kept by {', '.join(sorted(unknown))}")
    columns = ", ".join(by)
    narrowed = {name for name, wanted in only.items() if wanted is not None}
    somewhere = {"site_id", "domain"} & {*by, *narrowed}
    text = sql.format(
        by=f"{columns}, " if by else "",
        table="jobs_errorcount" if somewhere else "jobs_errortotal",
        columns=columns or "1 AS one",
        chosen=" AND ".join(chosen),
        group=f"GROUP BY {columns}" if by else "",
    )
    return text, values


def fold(now: dt.datetime) -> int:
    """Add what the trigger wrote to the sums; returns how many rows it was.

    Safe at any time, also twice at once.
    """
    return _call("SELECT jobs_fold_ends(%s)", now)


def merge_old(now: dt.datetime) -> int:
    """Make days of old hours, and one sum of days long ago; returns how many rows went.

    Errors stay, so that `differences` can be asked of all jobs; workflows and nodes do not.
    """
    return _call("SELECT jobs_merge_ends(%s)", now)


def recount(now: dt.datetime) -> int:
    """Fill sums that are empty from the jobs, while they go on to end; rows that it took."""
    return _call("SELECT jobs_recount_ends(%s)", now)


def _call(sql: str, now: dt.datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, [now])
        return int(cursor.fetchone()[0])


# -- manage.py fsck ------------------------------------------------------------------------------

_DIFFERENCES = """
SELECT site_id, domain, label, state, component, code, sum(kept_n), sum(n),
  sum(kept_jobs), sum(jobs), sum(kept_cpu), sum(cpu), sum(kept_busy), sum(busy)
FROM (
  SELECT site_id, domain, label, state, component, code, n AS kept_n, jobs AS kept_jobs,
    cpu_s + lost_s AS kept_cpu, busy_s AS kept_busy, 0 AS n, 0 AS jobs, 0 AS cpu, 0 AS busy
  FROM jobs_errorcount
  UNION ALL SELECT site_id, domain, label, state, component, code, n, jobs, cpu_s + lost_s, busy_s,
    0, 0, 0, 0 FROM jobs_enddelta
  UNION ALL SELECT site_id, domain, label, state, component, code, 0, 0, 0, 0,
    n, jobs, cpu_s + lost_s, busy_s FROM jobs_ends(NULL, NULL, false)
) all_three GROUP BY 1, 2, 3, 4, 5, 6
HAVING (sum(kept_n), sum(kept_jobs), sum(kept_cpu), sum(kept_busy))
  IS DISTINCT FROM (sum(n), sum(jobs), sum(cpu), sum(busy))
ORDER BY 1, 2, 3, 4, 5, 6 LIMIT %s
"""
# Totals, nodes and workflows are other cuts of the same sums: they agree with them, day by day.
_CUTS = """
SELECT what, day, state, sum(mine), sum(theirs) FROM (
  SELECT 'nodes' AS what, date_trunc('day', hour, 'UTC') AS day, state, mine, 0 AS theirs
  FROM jobs_nodecount CROSS JOIN LATERAL (VALUES ('finished', finished), ('failed', failed),
    ('cancelled', cancelled)) v (state, mine) WHERE node <> ''
  UNION ALL SELECT 'nodes', date_trunc('day', hour, 'UTC'), state, 0, jobs FROM jobs_errorcount
  UNION ALL SELECT 'sites', date_trunc('day', hour, 'UTC'), 'ended',
    CASE WHEN node = '' THEN finished + failed + cancelled ELSE 0 END,
    CASE WHEN node = '' THEN 0 ELSE finished + failed + cancelled END FROM jobs_nodecount
  UNION ALL SELECT 'totals', date_trunc('day', hour, 'UTC'), state, jobs + n, 0
  FROM jobs_errortotal
  UNION ALL SELECT 'totals', date_trunc('day', hour, 'UTC'), state, 0, jobs + n
  FROM jobs_errorcount
  UNION ALL SELECT 'workflows', date_trunc('day', hour, 'UTC'), 'failed', n, 0
  FROM jobs_workflowcount
  UNION ALL SELECT 'workflows', date_trunc('day', hour, 'UTC'), state, 0, n FROM jobs_errorcount
  WHERE component <> ''
) cuts JOIN LATERAL (SELECT CASE what WHEN 'nodes' THEN (SELECT min(hour) FROM jobs_nodecount)
  WHEN 'workflows' THEN (SELECT min(hour) FROM jobs_workflowcount) ELSE '-infinity' END
  AS kept_since) k ON day > kept_since
GROUP BY 1, 2, 3 HAVING {wrong} ORDER BY 1, 2, 3 LIMIT %s
"""
# Jobs that no node had are in no node's sum.
_WRONG = "sum(mine) > sum(theirs) OR (what <> 'nodes' AND sum(mine) <> sum(theirs))"


def differences(limit: int) -> list[str]:
    """Where the sums differ from the jobs, live and ended, in words; empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, [limit])
        found = [_said(row) for row in cursor.fetchall()]
        cursor.execute(_CUTS.format(wrong=_WRONG), [limit])
        found += [
            f"{what} of {day:%Y-%m-%d}: {mine} {state} jobs, by their"
            f" {'nodes' if what == 'sites' else 'errors'} there are {theirs}"
            for what, day, state, mine, theirs in cursor.fetchall()
        ]
    return found


def _said(row: tuple[Any, ...]) -> str:
    site, domain, label, state, component, code, *pairs = row
    error = f" {component}:{code}" if component else ""
    names = ("jobs", "first errors", "CPU s", "busy s")
    wrong = [
        f"{name} summed {kept}, found {there}"
        for name, kept, there in zip(names, pairs[::2], pairs[1::2], strict=True)
        if kept != there
    ]
    return f"ends at site {site} {domain} {label} {state}{error}: {'; '.join(wrong)}"
