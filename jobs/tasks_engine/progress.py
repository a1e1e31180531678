"""How far a task has come: counted from its pieces, and when it will be done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import connection

from jobs.models import Task

# One statement for all tasks; rows that would stay as they are, are not written.
_REFRESH = """
UPDATE jobs_task t SET
  pieces = c.pieces, pieces_done = c.pieces_done, pieces_failed = c.pieces_failed,
  merges = c.merges, merges_done = c.merges_done, merges_failed = c.merges_failed,
  events_done = c.events_done, inputs_done = c.inputs_done, inputs_failed = c.inputs_failed
FROM (
  SELECT k.task_id,
    count(p.id) FILTER (WHERE stage = 'work') AS pieces,
    count(p.id) FILTER (WHERE stage = 'work' AND state = 'done') AS pieces_done,
    count(p.id) FILTER (WHERE stage = 'work' AND state IN ('failed', 'dropped')) AS pieces_failed,
    count(p.id) FILTER (WHERE stage = 'merge') AS merges,
    count(p.id) FILTER (WHERE stage = 'merge' AND state = 'done') AS merges_done,
    count(p.id) FILTER (WHERE stage = 'merge' AND state IN ('failed', 'dropped')) AS merges_failed,
    coalesce(sum(n_events) FILTER (WHERE stage = 'work' AND state = 'done'), 0) AS events_done,
    coalesce(sum(n_files) FILTER (WHERE stage = 'work' AND state = 'done'), 0) AS inputs_done,
    coalesce(sum(n_files) FILTER (WHERE stage = 'work' AND state IN ('failed', 'dropped')), 0)
      AS inputs_failed
  FROM unnest(%s::bigint[]) AS k (task_id) LEFT JOIN jobs_taskpiece p USING (task_id)
  GROUP BY k.task_id
) c
WHERE t.task_id = c.task_id AND
  (t.pieces, t.pieces_done, t.pieces_failed, t.merges, t.merges_done, t.merges_failed,
    t.events_done, t.inputs_done, t.inputs_failed)
  IS DISTINCT FROM (c.pieces, c.pieces_done, c.pieces_failed, c.merges, c.merges_done,
    c.merges_failed, c.events_done, c.inputs_done, c.inputs_failed)
"""


def refresh(task_ids: Collection[int]) -> None:
    """Count the pieces of these tasks anew; the caller holds the tasks, in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(_REFRESH, [sorted(task_ids)])


def eta_s(*, done: int, left: int, since: dt.datetime, now: dt.datetime) -> float | None:
    """Seconds until the rest is done, at the rate since then; None: nothing to tell by.

    >>> noon = dt.datetime(2009, 9, 17, 12, tzinfo=dt.UTC)
    >>> eta_s(done=10, left=30, since=noon - dt.timedelta(hours=1), now=noon)
    10800.0
    """
    past = (now - since).total_seconds()
    return left * past / done if done > 0 and past > 0 and left > 0 else None


def left_s(task: Task, *, now: dt.datetime) -> float | None:
    """Seconds until a task has done its work, at the rate since its first jobs; None: not known.

    Counted in input files where it reads some, else in events: jobs are made anew, those are not.
    """
    if task.began_at is None or task.ended_at is not None:
        return None
    if task.inputs:
        lost = task.inputs_failed
        done, whole = task.inputs_done, task.inputs
    else:
        lost = 0
        done, whole = task.events_done, task.events
    return eta_s(done=done, left=whole - done - lost, since=task.began_at, now=now)
