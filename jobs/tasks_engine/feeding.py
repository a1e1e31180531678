"""Listing what tasks have to read: each file of their input once, as it appears.

A child task reads what its parent makes, so its input stays open as long as somebody who writes
into it is at work. That is asked before the files are: of a writer that has ended by then, all
files can be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

from jobs.models import Task, TaskInput
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
SELECT l.task_id, count(*),
  coalesce(sum(coalesce((t.spec->>'events_per_file')::bigint, f.events)), 0)
FROM listed l JOIN datasets_file f ON f.id = l.file_id JOIN jobs_task t ON t.task_id = l.task_id
GROUP BY l.task_id ORDER BY l.task_id
"""
# The same for one task that reads some files of its datasets, in the order in which they came.
_CHOOSE = """
WITH chosen AS (
  SELECT file_id, row_number() OVER (ORDER BY place, member) AS nr FROM (
    SELECT m.file_id, min(d.place) AS place, min(m.id) AS member
    FROM jobs_taskdataset d JOIN datasets_datasetfile m ON m.dataset_id = d.dataset_id
    JOIN datasets_file f ON f.id = m.file_id
    WHERE d.task_id = %(task)s AND d.role = 'input'
      AND (%(lfns)s::text[] = '{}' OR f.lfn = ANY(%(lfns)s))
      AND (%(include)s::text[] = '{}' OR f.lfn ~ ANY(%(include)s))
      AND NOT f.lfn ~ ANY(%(exclude)s::text[])
    GROUP BY m.file_id
  ) members
), listed AS (
  INSERT INTO jobs_taskinput (task_id, stage, file_id)
  SELECT %(task)s, 'work', c.file_id FROM chosen c
  WHERE c.nr > %(skip)s AND (%(files)s = 0 OR c.nr <= %(skip)s + %(files)s)
    AND NOT EXISTS (SELECT FROM jobs_taskinput i
      WHERE i.task_id = %(task)s AND i.stage = 'work' AND i.file_id = c.file_id)
  ORDER BY c.nr LIMIT %(most)s
  ON CONFLICT DO NOTHING
  RETURNING task_id, file_id
)
SELECT l.task_id, count(*),
  coalesce(sum(coalesce((t.spec->>'events_per_file')::bigint, f.events)), 0)
FROM listed l JOIN datasets_file f ON f.id = l.file_id JOIN jobs_task t ON t.task_id = l.task_id
GROUP BY l.task_id
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
        choosy = dict(_choosy(task_ids))
        rows = _list(cursor, set(task_ids) - choosy.keys(), Stage.WORK, "input")
        for task_id, select in sorted(choosy.items()):
            rows += _choose(cursor, task_id, select)
        if rows:
            cursor.execute(_BOOK, [list(column) for column in zip(*rows, strict=True)])
    listed = sum(files for _, files, _ in rows)
    if listed < MOST:
        complete += _satisfied(choosy)
    if complete and listed < MOST:
        Task.objects.filter(pk__in=complete).update(input_open=False)
    return listed


def _choosy(task_ids: Collection[int]) -> QuerySet[Task, tuple[int, dict[str, Any]]]:
    """Tasks that read some files of their datasets, and which."""
    some = Task.objects.filter(pk__in=task_ids, spec__has_key="select").order_by("pk")
    return some.values_list("pk", "spec__select")


def _choose(cursor: Any, task_id: int, select: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    cursor.execute(_CHOOSE, {**select, "task": task_id, "most": MOST})
    return list(cursor.fetchall())


def _satisfied(choosy: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """Those that have as many files as they want."""
    wanted = {task_id: select["files"] for task_id, select in choosy.items() if select["files"]}
    rows = TaskInput.objects.filter(task__in=wanted, stage=Stage.WORK).order_by()
    counts = rows.values_list("task").annotate(n=Count("file", distinct=True))
    return [task_id for task_id, n in counts if n >= wanted[task_id]]


def feed_merges(task_ids: Collection[int]) -> int:
    """The same for the files that are to be merged: what the jobs have made."""
    with connection.cursor() as cursor:
        rows = _list(cursor, task_ids, Stage.MERGE, "output")
    return sum(files for _, files, _ in rows)


def _list(
    cursor: Any, task_ids: Collection[int], stage: Stage, role: str
) -> list[tuple[int, int, int]]:
    said = {"stage": stage.value, "role": role, "tasks": list(task_ids), "most": MOST}
    cursor.execute(_FEED, said)
    return list(cursor.fetchall())
