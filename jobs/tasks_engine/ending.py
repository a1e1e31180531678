"""The ends of tasks: jobs that nobody wants any more, and datasets that are closed or aborted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db.models import Exists, OuterRef

from datasets import services as data
from datasets.models import Dataset
from datasets.states import DatasetState
from jobs import services as jobs
from jobs.models import Job, Task, TaskDataset, TaskEvent, TaskPiece
from jobs.states import LEASED, QUEUED
from jobs.tasks_engine.states import GROUPING, LIVE, PieceState, Stage, TaskState
from pandasite.base.errors import IllegalMove

MOST = 5000  # jobs of a task that are cancelled in a round
ACTOR = "tasks"
_MADE = (TaskDataset.Role.BUILT, TaskDataset.Role.OUTPUT, TaskDataset.Role.MERGED)


def cancel_rest(task_ids: Collection[int], *, now: dt.datetime) -> int:
    """End the jobs of killed tasks, and of those told to finish the jobs that no pilot has.

    Jobs that were made meanwhile, such as successors, are found by the next round.
    """
    ended = 0
    aborting = Task.objects.filter(pk__in=task_ids, state=TaskState.ABORTING)
    for task in aborting.order_by("pk"):
        mine = Job.objects.filter(task=task)
        ended += _cancel(mine.filter(state__in=QUEUED).order_by("pk"), task, now=now)
        told = mine.filter(state__in=LEASED, command="")
        ended += jobs.order_end(told, reason=f"{ACTOR}: {_why(task)}", now=now)
    short = Task.objects.filter(pk__in=task_ids, state=TaskState.FINISHING, cut_short=True)
    for task in short.order_by("pk"):
        work = TaskPiece.objects.filter(
            task=task, stage__in=[Stage.BUILD, Stage.WORK], state=PieceState.SUBMITTED
        )
        mine = Job.objects.filter(pk__in=work.order_by().values("panda_id"), state__in=QUEUED)
        ended += _cancel(mine.order_by("pk"), task, now=now)
    return ended


def _cancel(queued: object, task: Task, *, now: dt.datetime) -> int:
    ids = list(queued.values_list("pk", flat=True)[:MOST])  # type: ignore[attr-defined]
    if not ids:
        return 0
    some = Job.objects.filter(pk__in=ids)
    return len(jobs.cancel_killed(some, actor=ACTOR, now=now, why=_why(task)))


def _why(task: Task) -> str:
    return f"task {task.pk} is {task.state}: {task.state_reason}"


def close_outputs(task_ids: Collection[int], *, now: dt.datetime) -> None:
    """Freeze what tasks that are done have made, unless another one goes on to write into it."""
    others = TaskDataset.objects.filter(
        dataset=OuterRef("pk"), role__in=_MADE, task__state__in=LIVE
    )
    mine = TaskDataset.objects.filter(task__in=task_ids, role__in=_MADE)
    made = Dataset.objects.filter(~Exists(others), pk__in=mine.values("dataset"))
    for dataset in made.filter(state=DatasetState.OPEN).order_by("pk"):
        try:
            data.set_dataset_state(dataset, DatasetState.FROZEN, now=now)
        except IllegalMove:
            pass  # somebody was faster


# A task in one of these has made nothing that is any good, and makes nothing any more.
_MAKES_NOTHING = (GROUPING, TaskState.ABORTED, TaskState.BROKEN)


def abort_outputs(task_ids: Collection[int], *, now: dt.datetime) -> int:
    """Abort what these killed tasks made, unless another one has made a part of it, or goes on to.

    Their files stay, and may be read; nothing brings them anywhere any more. Sub and dispatch
    blocks end by themselves: no live job waits for them (jobs/closing.py).
    """
    others = TaskDataset.objects.filter(dataset=OuterRef("pk"), role__in=_MADE).exclude(
        task__state__in=_MAKES_NOTHING
    )
    aborted = 0
    for kill in TaskEvent.objects.filter(task__in=task_ids, to_state=TaskState.ABORTING):
        mine = TaskDataset.objects.filter(task=kill.task_id, role__in=_MADE)
        made = Dataset.objects.filter(~Exists(others), pk__in=mine.values("dataset"))
        keys = list(made.exclude(state=DatasetState.ERASED).values_list("pk", flat=True))
        why = f"task {kill.task_id} was killed by {kill.actor}: {kill.reason}"
        aborted += data.abort_datasets(keys, reason=why, now=now)
    return aborted
