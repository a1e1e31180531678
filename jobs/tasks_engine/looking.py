"""The facts of many tasks, by a few queries in all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from jobs.models import Job, Task, TaskInput, TaskPiece
from jobs.states import LIVE as LIVE_JOBS
from jobs.tasks_engine import checks
from jobs.tasks_engine.deciding import Facts
from jobs.tasks_engine.spec import TaskSpec
from jobs.tasks_engine.states import FINAL, Stage, TaskState


def facts_of(tasks: Sequence[Task]) -> dict[int, Facts]:
    """What is known of these tasks, which carry their parents (`select_related`)."""
    ids = [task.pk for task in tasks]
    uncut, merge_uncut = _uncut(ids, Stage.WORK), _uncut(ids, Stage.MERGE)
    aborting = [task.pk for task in tasks if task.state == TaskState.ABORTING]
    live = _with_live_jobs(aborting)
    faults = checks.faults_of([task for task in tasks if task.state == TaskState.REGISTERED])
    seen = _Seen(
        uncut=uncut, merge_uncut=merge_uncut, live=live, faults=faults, builds=_builds(tasks)
    )
    return {task.pk: _facts(task, seen) for task in tasks}


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What was read of all tasks together."""

    uncut: Collection[int]
    merge_uncut: Collection[int]
    live: Collection[int]
    faults: Mapping[int, str]
    builds: Mapping[int, str]


def _facts(task: Task, seen: _Seen) -> Facts:
    spec = TaskSpec.of(task.spec, owner=task.spec["owner"])
    parent = task.parent
    return Facts(
        state=TaskState(task.state),
        reads=bool(spec.inputs),
        merges=spec.merge is not None,
        scouts=spec.n_scouts if spec.scouts else 0,
        wants_cloud=spec.wants_cloud,
        cut_short=task.cut_short,
        input_open=task.input_open,
        inputs=task.inputs,
        uncut=task.pk in seen.uncut,
        events=spec.events,
        events_cut=task.events_cut,
        pieces=task.pieces,
        pieces_done=task.pieces_done,
        pieces_failed=task.pieces_failed,
        merge_uncut=task.pk in seen.merge_uncut,
        merge_pieces=task.merges,
        merges_done=task.merges_done,
        merges_failed=task.merges_failed,
        live_jobs=task.pk in seen.live,
        parent=parent.state if parent else "",
        parent_live=bool(parent and parent.state and parent.state not in FINAL),
        fault=seen.faults.get(task.pk, ""),
        build=seen.builds.get(task.pk, "") if spec.build else None,
    )


def _uncut(task_ids: Collection[int], stage: Stage) -> set[int]:
    """Tasks with files that are in no piece yet."""
    files = TaskInput.objects.filter(task=OuterRef("pk"), stage=stage, piece=None)
    tasks = Task.objects.filter(Exists(files), pk__in=task_ids)
    return set(tasks.order_by().values_list("pk", flat=True))


def _builds(tasks: Sequence[Task]) -> dict[int, str]:
    """The state of the piece that builds, by task."""
    building = [task.pk for task in tasks if task.spec.get("build")]
    if not building:
        return {}
    pieces = TaskPiece.objects.filter(task__in=building, stage=Stage.BUILD).order_by()
    return dict(pieces.values_list("task", "state"))


def _with_live_jobs(task_ids: Collection[int]) -> set[int]:
    if not task_ids:
        return set()
    jobs = Job.objects.filter(task=OuterRef("pk"), state__in=LIVE_JOBS)
    tasks = Task.objects.filter(Exists(jobs), pk__in=task_ids)
    return set(tasks.order_by().values_list("pk", flat=True))
