"""Listing what tasks have to read: each file of their input once, as it appears.

A child task reads what its parent makes, so its input stays open as long as somebody who writes
into it is at work. That is asked before the files are: of a writer that has ended by then, all
files can be seen.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from jobs.models import Task
from jobs.tasks_engine.states import FINAL, Stage

MOST = 50_000  # files that one statement lists

_LIVE = f"NOT IN ({', '.join(repr(s.value) for s in FINAL)})"
# Of these tasks, those to whose input nothing can be added any more: no other task that writes
# into it lives, nor does the parent; and it is not a dataset that somebody else has yet to fill.
_COMPLETE = f"""
SELECT t.task_id FROM jobs_task t
WHERE t.task_id = ANY(%s) AND t.input_open
  AND NOT EXISTS (SELECT FROM jobs_task p WHERE p.task_id = t.parent_id AND p.state {_LIVE})
  AND NOT EXISTS (
    SELECT FROM jobs_taskdataset d
    JOIN jobs_taskdataset w ON w.dataset_id = d.dataset_id AND w.role IN ('output', 'merged')
    JOIN jobs_task o ON o.task_id = w.task_id
    WHERE d.task_id = t.task_id AND d.role = 'input' AND o.state {_LIVE}
  )
  AND NOT EXISTS (
    SELECT FROM jobs_taskdataset d JOIN datasets_dataset s ON s.id = d.dataset_id
    WHERE d.task_id = t.task_id AND d.role = 'input' AND s.state = 'open'
      AND NOT EXISTS (SELECT FROM datasets_datasetfile m WHERE m.dataset_id = s.id)
      AND NOT EXISTS (SELECT FROM jobs_taskdataset w
        WHERE w.dataset_id = s.id AND w.role IN ('output', 'merged'))
  )
"""
_FEED = """
WITH listed AS (
  INSERT INTO jobs_taskinput (task_id, stage, file_id)
  SELECT DISTINCT d.task_id, %(stage)s, m.file_id
  FROM jobs_taskdataset d JOIN datasets_datasetfile m ON m.dataset_id = d.dataset_id
  WHERE d.task_id = ANY(%(tasks)s) AND d.role = %(role)s AND (d.role = 'input' OR d.place = 0)
    AND NOT EXISTS (SELECT FROM jobs_taskinput i
      WHERE i.task_id = d.task_id AND i.stage = %(stage)s AND i.file_id = m.file_id)
  ORDER BY 1, 3 LIMIT %(most)s
  ON CONFLICT DO NOTHING
  RETURNING task_id, file_id
)
SELECT l.task_id, count(*), coalesce(sum(f.events), 0)
FROM listed l JOIN datasets_file f ON f.id = l.file_id GROUP BY l.task_id ORDER BY l.task_id
"""
_BOOK = """
UPDATE jobs_task t SET inputs = t.inputs + n.files, events = t.events + n.events
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS n (task_id, files, events)
WHERE t.task_id = n.task_id
"""


def feed(task_ids: Collection[int]) -> int:
    """List new input of these tasks, which the caller holds; returns how many files.

    Where all there will ever be is listed, the task is told that its input is not open any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, [list(task_ids)])
        complete = [task_id for (task_id,) in cursor.fetchall()]
        rows = _list(cursor, task_ids, Stage.WORK, "input")
        if rows:
            cursor.execute(_BOOK, [list(column) for column in zip(*rows, strict=True)])
    listed = sum(files for _, files, _ in rows)
    if complete and listed < MOST:
        Task.objects.filter(pk__in=complete).update(input_open=False)
    return listed


def feed_merges(task_ids: Collection[int]) -> int:
    """The same for the files that are to be merged: what the jobs have made."""
    with connection.cursor() as cursor:
        rows = _list(cursor, task_ids, Stage.MERGE, "output")
    return sum(files for _, files, _ in rows)


def _list(
    cursor: object, task_ids: Collection[int], stage: Stage, role: str
) -> list[tuple[int, int, int]]:
    said = {"stage": stage.value, "role": role, "tasks": list(task_ids), "most": MOST}
    cursor.execute(_FEED, said)  # type: ignore[attr-defined]
    return list(cursor.fetchall())  # type: ignore[attr-defined]
