"""Making the jobs of planned pieces: a thousand in one transaction, whatever tasks they are of.

That a piece gets its job, and the job itself, are one transaction: whatever ends between two steps,
no piece has two jobs, and none is forgotten.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from jobs.history import record_births
from jobs.models import Job, Task, TaskPiece
from jobs.outputs import Output, promise
from jobs.rows import JobSpec, Known, write_files, write_jobs
from jobs.tasks_engine import progress, services
from jobs.tasks_engine.cutting import began
from jobs.tasks_engine.jobspecs import Library, job_spec
from jobs.tasks_engine.states import PieceState, TaskState
from jobs.wake import known_files
from pandasite.base.copying import reserve_keys
from pandasite.base.errors import Unprocessable
from pandasite.base.nudge import nudge

BATCH = 1000  # jobs in one transaction
TASKS = 200  # that are looked at for it
_MAKING = (TaskState.SCOUTING, TaskState.RUNNING, TaskState.FINISHING)
_PLANNED = TaskPiece.objects.filter(state=PieceState.PLANNED)
_PLACE = re.compile(r"jobs\[(\d+)\]")
_GIVEN = """
UPDATE jobs_taskpiece p SET state = 'submitted', panda_id = n.panda_id, tries = tries + 1
FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, panda_id)
WHERE p.id = n.id AND p.state = 'planned'
"""


class Made(NamedTuple):
    """How many pieces have a job now, and how many can have none."""

    jobs: int
    refused: int


def make_some(*, now: dt.datetime) -> Made:
    """Jobs for the next pieces, those of tasks with a higher priority first.

    Tasks that somebody else holds are left to him.
    """
    with transaction.atomic():
        tasks = _hold_tasks()
        pieces = _next(tasks)
        if not pieces:
            return Made(0, 0)
        refused = _make(pieces, tasks, now=now)
    if refused is None:
        nudge("jobs.wake")
        nudge("jobs.assign")
        return Made(len(pieces), 0)
    with transaction.atomic():
        _refuse(pieces, refused, now=now)
    return Made(0, len(refused[1]))


def _hold_tasks() -> dict[int, Task]:
    """Tasks with planned pieces, locked: nobody stops them meanwhile."""
    wanted = Task.objects.filter(Exists(_PLANNED.filter(task=OuterRef("pk"))), state__in=_MAKING)
    first = list(wanted.order_by("-priority", "pk").values_list("pk", flat=True)[:TASKS])
    rows = Task.objects.filter(pk__in=first, state__in=_MAKING).order_by("pk")
    held = rows.select_for_update(no_key=True, skip_locked=True, of=("self",))
    return {
        task.pk: task
        for task in held.select_related("owner", "vo", "cloud__tier1__cloud", "site__cloud")
    }


def _next(tasks: dict[int, Task]) -> list[TaskPiece]:
    rows = _PLANNED.filter(task__in=tasks).order_by("-task__priority", "pk")
    held = rows.select_for_update(skip_locked=True, of=("self",))
    return list(held[:BATCH])


Refusal = tuple[str, list[int]]  # why, and the keys of the pieces


def _make(
    pieces: Sequence[TaskPiece], tasks: dict[int, Task], *, now: dt.datetime
) -> Refusal | None:
    """Insert the jobs; None, or what cannot be made: then nothing is."""
    library = Library.of(pieces, tasks)
    by_owner = sorted(pieces, key=lambda piece: tasks[piece.task_id].owner_id)
    for _, some in groupby(by_owner, key=lambda piece: tasks[piece.task_id].owner_id):
        group = list(some)
        specs = [job_spec(tasks[piece.task_id], piece, library) for piece in group]
        try:
            with transaction.atomic():
                _insert(group, specs, tasks, library, now=now)
        except Unprocessable as error:
            transaction.set_rollback(True)
            return error.message, _refused(group, error)
    began(sorted({piece.task_id for piece in pieces}), now=now)
    return None


def _insert(
    pieces: Sequence[TaskPiece],
    specs: Sequence[JobSpec],
    tasks: dict[int, Task],
    library: Library,
    *,
    now: dt.datetime,
) -> None:
    """The jobs of one owner, with their files and first events."""
    owner = tasks[pieces[0].task_id].owner
    known = Known(
        tasks={str(pk): task for pk, task in tasks.items()},
        datasets=library.datasets,
        files=known_files((f.scope, f.lfn) for spec in specs for f in spec.input_files),
    )
    panda_ids = reserve_keys(Job, len(specs))
    made = {f.dataset for spec in specs for f in spec.output_files}
    promise(
        lambda: write_files(specs, panda_ids, known=known),
        panda_ids=panda_ids,
        into=[known.datasets[name] for name in sorted(made)],
        outputs=lambda: _outputs(specs),
    )
    states = write_jobs(specs, panda_ids, owner=owner, known=known, now=now)
    record_births(panda_ids, states, actor="tasks", now=now)
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, [[piece.pk for piece in pieces], panda_ids])


def _outputs(specs: Sequence[JobSpec]) -> list[Output]:
    return [
        Output(f"jobs[{i}].output_files[{k}]", f.scope, f.lfn, f.dataset)
        for i, spec in enumerate(specs)
        for k, f in enumerate(spec.output_files)
    ]


def _refused(pieces: Sequence[TaskPiece], error: Unprocessable) -> list[int]:
    """The pieces that the faults are about; all, where they do not say."""
    places = [_PLACE.match(str(fault.get("field", ""))) for fault in error.fields]
    numbers = {int(place[1]) for place in places if place}
    return [pieces[i].pk for i in sorted(numbers)] or [piece.pk for piece in pieces]


def _refuse(pieces: Sequence[TaskPiece], refused: Refusal, *, now: dt.datetime) -> None:
    """Pieces that can have no job fail, and their tasks say why."""
    words, keys = refused
    wrong = set(keys)
    concerned = {piece.task_id for piece in pieces if piece.pk in wrong}
    tasks = Task.objects.filter(pk__in=concerned).order_by("pk")
    held = list(tasks.select_for_update(no_key=True))  # before any piece of them
    failed = _PLANNED.filter(pk__in=keys).select_for_update(skip_locked=True, of=("self",))
    ids = list(failed.values_list("pk", "task_id"))
    by_task = Counter(task_id for _, task_id in ids)
    for task in held:
        if n := by_task[task.pk]:
            reason = f"no jobs for {n} pieces of work: {words}"
            services.note(task, actor="tasks", reason=reason, now=now)
    TaskPiece.objects.filter(pk__in=[pk for pk, _ in ids]).update(
        state=PieceState.FAILED, ended_at=now
    )
    progress.refresh(by_task)
    Task.objects.filter(pk__in=by_task).update(looked_at=None)
