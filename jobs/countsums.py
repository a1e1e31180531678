"""Sums of the counts of `jobs.counts`: how many jobs there are of a choice, at this moment.

Without a window that choice has all that ever ended. Its hours are hundreds of thousands of rows,
so the fold of the deltas keeps them added up as well (`EndedTotal`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from pandasite.base.clock import full_hour

TOLD = ("state", "label", "cloud_id", "site_id")  # what jobs are told apart by
EVER = dt.datetime.fromtimestamp(0, dt.UTC)  # since then everything has ended that has
# Live jobs, and those that ended since; or all that ever did, whose hours would be many.
_SINCE = """
  SELECT cloud_id, site_id, label, state, payload_error, n FROM jobs_jobcount
  WHERE hour = 'epoch' OR hour >= %(since)s
  UNION ALL SELECT cloud_id, site_id, label, state, payload_error, n FROM jobs_countdelta
  WHERE hour = 'epoch' OR hour >= %(since)s
"""
_OF_ALL_TIMES = """
  SELECT cloud_id, site_id, label, state, payload_error, n FROM jobs_jobcount WHERE hour = 'epoch'
  UNION ALL SELECT cloud_id, site_id, label, state, payload_error, n FROM jobs_endedtotal
  UNION ALL SELECT cloud_id, site_id, label, state, payload_error, n FROM jobs_countdelta
"""


def total(
    *,
    ended_since: dt.datetime | None,
    payload_error: bool | None = None,
    **only: Iterable[Any] | None,
) -> int:
    """Live jobs (with `ended_since` those that ended since its full hour, too) that are one of
    `only`: `state`, `label`, `cloud_id` and `site_id`, 0 for none. None: any."""
    source, values = _chosen(ended_since, payload_error, only)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(sum(n), 0) FROM {source}", values)
        return int(cursor.fetchone()[0])


def by_value(
    *,
    ended_since: dt.datetime | None,
    payload_error: bool | None = None,
    **only: Iterable[Any] | None,
) -> dict[str, dict[Any, int]]:
    """How many of the jobs that `total` counts are of which state, label, cloud_id and site_id."""
    source, values = _chosen(ended_since, payload_error, only)
    sets = ", ".join(f"({name})" for name in TOLD)
    names, found = ", ".join(TOLD), {name: dict[Any, int]() for name in TOLD}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {names}, sum(n) FROM {source} GROUP BY GROUPING SETS ({sets})"
            " HAVING sum(n) <> 0",
            values,
        )
        for *keys, n in cursor.fetchall():
            ((name, key),) = [pair for pair in zip(TOLD, keys, strict=True) if pair[1] is not None]
            found[name][key] = int(n)
    return found


def _chosen(
    ended_since: dt.datetime | None,
    payload_error: bool | None,
    only: Mapping[str, Iterable[Any] | None],
) -> tuple[str, dict[str, Any]]:
    """What to read from, in SQL, and its values."""
    if unknown := {*only} - {*TOLD}:
        raise ValueError(f"jobs are not counted by {', '.join(sorted(unknown))}")
    source = _OF_ALL_TIMES if ended_since == EVER else _SINCE
    # No hour is behind the last one: live jobs alone.
    values: dict[str, Any] = {"since": full_hour(ended_since) if ended_since else "infinity"}
    conditions = ["true"]
    if payload_error is not None:
        conditions.append("payload_error" if payload_error else "NOT payload_error")
    for name, wanted in only.items():
        if wanted is not None:
            conditions.append(f"{name} = ANY(%({name})s)")
            values[name] = [*wanted]
    return f"({source}) counted WHERE {' AND '.join(conditions)}", values
