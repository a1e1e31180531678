"""Pieces whose job failed: who tries them again."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from jobs.models import Task, TaskPiece
from jobs.tasks_engine.states import PieceState

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


def plan_again(task: Task) -> int:
    """Let every piece that failed, or was left out, have another job; returns how many."""
    revived = revive([task.pk])
    pieces = TaskPiece.objects.filter(task=task, state__in=[PieceState.FAILED, PieceState.DROPPED])
    again = pieces.update(state=PieceState.PLANNED, panda_id=None, ended_at=None)
    return again + len(revived)
