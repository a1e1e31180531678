"""Reading what the scouts of tasks came to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import Sum

from jobs.models import AnyJob, AnyJobFile, JobFile, TaskPiece
from jobs.tasks_engine.scouts import Scout, measure
from jobs.tasks_engine.states import PieceState


def measured(task_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """By task, what its finished scouts used and made, and what is set after that."""
    pieces = list(TaskPiece.objects.filter(task__in=task_ids, scout=True))
    done = [p for p in pieces if p.state == PieceState.DONE]
    ids = [piece.panda_id for piece in done if piece.panda_id]
    used = {
        pk: (rss, cpu)
        for pk, rss, cpu in AnyJob.objects.filter(pk__in=ids).values_list(
            "pk", "max_rss_mb", "cpu_consumption_time"
        )
    }
    sizes = _sizes(ids)
    found: dict[int, list[Scout]] = defaultdict(list)
    for piece in done:
        rss, cpu = used.get(piece.panda_id or 0, (0, 0))
        size = sizes.get(piece.panda_id or 0, 0)
        found[piece.task_id].append(Scout(piece.n_events, piece.n_files, rss, cpu, size))
    made = {task: sum(1 for p in pieces if p.task_id == task) for task in found}
    return {task: measure(scouts, made=made[task]) for task, scouts in found.items()}


def _sizes(panda_ids: Collection[int]) -> dict[int, int]:
    """Bytes of the outputs by job."""
    files = AnyJobFile.objects.filter(job__in=panda_ids, type=JobFile.Type.OUTPUT).order_by()
    return {job: size or 0 for job, size in files.values_list("job_id").annotate(size=Sum("size"))}
