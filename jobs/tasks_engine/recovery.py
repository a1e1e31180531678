"""Pieces whose job failed: who tries them again."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import QuerySet

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


def plan_again(task: Task) -> int:
    """Let every piece that failed, or was left out, have another job; returns how many.

    Conflict when nobody knows any more what they read.
    """
    if task.inputs_forgotten_at:
        raise Conflict(f"the list of what task {task.pk} read is not kept any more")
    revived = revive([task.pk])
    again = left_out(task).update(state=PieceState.PLANNED, panda_id=None, ended_at=None)
    return again + len(revived)
