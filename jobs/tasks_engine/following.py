"""Pieces follow their jobs: to a successor, or to their own end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from jobs.models import Job, Task, TaskPiece
from jobs.states import FINAL
from jobs.tasks_engine import progress
from jobs.tasks_engine.states import PieceState
from pandasite.base import inorder
from pandasite.base.patrol import patrol
from pandasite.base.rounds import Round

LINKS = 10  # successors of successors that are followed at once
_SUBMITTED = TaskPiece.objects.filter(state=PieceState.SUBMITTED)

# A job ends and gets its successor in one transaction, so that one look sees both or neither.
_FOLLOW = """
WITH held AS (
  SELECT id, panda_id FROM jobs_taskpiece WHERE id = ANY(%(pieces)s) AND state = 'submitted'
  ORDER BY id FOR UPDATE SKIP LOCKED
), seen AS (
  SELECT h.id, j.state, s.panda_id AS successor
  FROM held h LEFT JOIN {jobs} j ON j.panda_id = h.panda_id
  LEFT JOIN {jobs} s ON s.retry_of = h.panda_id
)
UPDATE jobs_taskpiece p SET
  state = CASE WHEN successor IS NOT NULL THEN 'submitted'
    WHEN seen.state = 'finished' THEN 'done' ELSE 'failed' END,
  panda_id = coalesce(successor, p.panda_id),
  tries = p.tries + (successor IS NOT NULL)::int,
  ended_at = CASE WHEN successor IS NULL THEN %(now)s::timestamptz END
FROM seen WHERE p.id = seen.id AND (successor IS NOT NULL OR {ended})
RETURNING p.id, p.task_id, p.state
"""
_LIVE = _FOLLOW.format(jobs="jobs_job", ended="seen.state = ANY(%(final)s)")
# Nobody looked for so long that the job is in the archive, or that even this has forgotten it.
_OLD = _FOLLOW.format(jobs="jobs_anyjob", ended="seen.state = ANY(%(final)s) OR seen.state IS NULL")
_GONE = """
SELECT p.id FROM jobs_taskpiece p WHERE p.id = ANY(%s) AND p.state = 'submitted'
  AND NOT EXISTS (SELECT FROM jobs_job j WHERE j.panda_id = p.panda_id)
"""


def follow(now: dt.datetime) -> int:
    """One round over the pieces that have a job; returns how many moved."""
    return patrol("jobs.tasks", _SUBMITTED, news=_with_news, look=_look_at, now=now)


def _with_news(since: dt.datetime) -> QuerySet[TaskPiece, int]:
    """Those whose job has ended."""
    ended = Job.objects.filter(state__in=FINAL, end_time__gte=since)
    pieces = _SUBMITTED.filter(panda_id__in=ended.order_by().values("pk"))
    return pieces.values_list("pk", flat=True).order_by()


def _look_at(work: Round, pieces: Sequence[int], now: dt.datetime) -> bool:
    left: Sequence[int] = pieces
    work.together(left, partial(follow_some, now=now), name=lambda pk: f"piece {pk}")
    return True


def follow_some(pieces: Sequence[int], *, now: dt.datetime) -> int:
    """Let these pieces follow their jobs, and count their tasks anew; how many moved."""
    with transaction.atomic():
        moved = _follow(_LIVE, pieces, now=now)
        with connection.cursor() as cursor:
            cursor.execute(_GONE, [list(pieces)])
            gone = [pk for (pk,) in cursor.fetchall()]
        if gone:
            moved += _follow(_OLD, gone, now=now)
        count_anew({task_id for _, task_id, _ in moved})
    return len(moved)


def _follow(sql: str, pieces: Sequence[int], *, now: dt.datetime) -> list[tuple[int, int, str]]:
    """What moved, as (piece, task, state), with the successors of successors."""
    found: list[tuple[int, int, str]] = []
    said: dict[str, Any] = {"now": now, "final": [state.value for state in FINAL]}
    with connection.cursor() as cursor:
        for _ in range(LINKS):
            cursor.execute(sql, {**said, "pieces": list(pieces)})
            rows = cursor.fetchall()
            found += rows
            pieces = [pk for pk, _, state in rows if state == PieceState.SUBMITTED]
            if not pieces:
                break
    return found


def count_anew(task_ids: Collection[int]) -> None:
    """Refresh the progress of these tasks, which are looked at first in the next round."""
    if task_ids:
        same = Task.objects.filter(pk__in=task_ids)
        inorder.hold(same)
        progress.refresh(task_ids)
        same.update(looked_at=None)
