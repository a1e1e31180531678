"""Pieces whose job failed: who tries them again."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import F, QuerySet

from jobs.models import Task, TaskPiece
from jobs.tasks_engine.states import PieceState
from pandasite.base.errors import Conflict

# Somebody has made a successor of the failed job of a piece: the piece has a job again.
_REVIVE = """
WITH held AS (
  SELECT p.id, s.panda_id FROM jobs_taskpiece p JOIN jobs_job s ON s.retry_of = p.panda_id
  WHERE p.state = 'failed' AND p.task_id = ANY(%s)
  FOR UPDATE OF p SKIP LOCKED
)
UPDATE jobs_taskpiece p
SET state = 'submitted', panda_id = held.panda_id, tries = tries + 1, ended_at = NULL
FROM held WHERE p.id = held.id RETURNING p.task_id
"""


def revive(task_ids: Collection[int]) -> list[int]:
    """Follow jobs of failed pieces to successors that live; the numbers of the tasks concerned."""
    with connection.cursor() as cursor:
        cursor.execute(_REVIVE, [list(task_ids)])
        return sorted({task_id for (task_id,) in cursor.fetchall()})


def left_out(task: Task) -> QuerySet[TaskPiece]:
    """Its pieces that failed, or were left out: what a retry tries again."""
    lost = [PieceState.FAILED, PieceState.DROPPED]
    return TaskPiece.objects.filter(task=task, state__in=lost)


# The files of pieces of work that failed or were left out are in no piece any more.
_FREE = """
WITH gone AS (
  SELECT id, n_events FROM jobs_taskpiece
  WHERE task_id = %s AND stage = 'work' AND state IN ('failed', 'dropped') AND n_files > 0
  ORDER BY id FOR UPDATE
), freed AS (
  UPDATE jobs_taskinput SET piece_id = NULL WHERE piece_id IN (SELECT id FROM gone)
)
SELECT coalesce(array_agg(id), '{}'), coalesce(sum(n_events), 0) FROM gone
"""


def plan_again(task: Task, *, cut_anew: bool = False) -> int:
    """Let every piece that failed, or was left out, have another job; returns how many.

    `cut_anew`: the files of such pieces are cut by the rule of today. The caller holds the task.
    Conflict when nobody knows any more what they read.
    """
    if task.inputs_forgotten_at:
        raise Conflict(f"the list of what task {task.pk} read is not kept any more")
    revived = revive([task.pk])
    if cut_anew:
        with connection.cursor() as cursor:
            cursor.execute(_FREE, [task.pk])
            gone, events = cursor.fetchone()
        TaskPiece.objects.filter(pk__in=gone).delete()
        Task.objects.filter(pk=task.pk).update(events_cut=F("events_cut") - events)
        return len(gone) + plan_again(task)
    again = left_out(task).update(state=PieceState.PLANNED, panda_id=None, ended_at=None)
    return again + len(revived)
