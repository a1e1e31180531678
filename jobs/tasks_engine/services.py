"""The verbs of tasks: the only code that writes a task's state.

Each move is one conditional update and one event row in one transaction. A task's row is locked
before anything of it is: pieces and inputs are never waited for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from brokerage.models import Cloud
from jobs.models import Job, Task, TaskEvent, TaskPiece
from jobs.states import QUEUED
from jobs.tasks_engine import progress, recovery, registering
from jobs.tasks_engine.body import CUTTING
from jobs.tasks_engine.changes import changed_by
from jobs.tasks_engine.spec import TaskSpec
from jobs.tasks_engine.states import FINAL, PAUSABLE, PieceState, Stage, TaskState, legal, since
from pandasite.base.errors import Conflict, IllegalMove
from pandasite.base.nudge import nudge

SWEEP = "jobs.tasks"


def register(spec: TaskSpec, *, actor: str, now: dt.datetime) -> Task:
    """The task of this request, made when it is new; Conflict when the name has another one."""
    (found,) = register_many([spec], actor=actor, now=now)
    if isinstance(found, Conflict):
        raise found
    return found


def register_many(
    specs: Sequence[TaskSpec], *, actor: str, now: dt.datetime
) -> list[Task | Conflict]:
    """The same for many, in their order, by a few statements in all; a Conflict stops no other."""
    with transaction.atomic():
        tasks, fresh = registering.register(specs, now=now)
        born = Task.objects.filter(pk__in=fresh)
        _record(born, "", TaskState.REGISTERED, actor=actor, reason="registered", now=now)
    nudge(SWEEP)
    return tasks


def register_all(specs: Sequence[TaskSpec], *, actor: str, now: dt.datetime) -> list[Task]:
    """The same, all or none: the first Conflict is raised."""
    with transaction.atomic():
        found = register_many(specs, actor=actor, now=now)
        tasks = [one for one in found if isinstance(one, Task)]
        for one in found:
            if isinstance(one, Conflict):
                raise one
    return tasks


def move(
    tasks: QuerySet[Task],
    to: TaskState,
    *,
    actor: str,
    reason: str,
    now: dt.datetime,
    only_from: Collection[TaskState] | None = None,
    **changes: Any,
) -> list[int]:
    """Move those of `tasks` that may go to `to`; returns their numbers, ascending.

    Tasks that another transaction holds are waited for: they are few, and held for a moment.
    """
    allowed = [state for state in since(to) if only_from is None or state in only_from]
    with transaction.atomic():
        rows = list(
            tasks.filter(state__in=allowed)
            .order_by("pk")
            .select_for_update(of=("self",), no_key=True)
            .values_list("pk", "state", "event_seq")
        )
        moved = [pk for pk, _, _ in rows]
        if moved:
            ended = now if to in FINAL else None
            Task.objects.filter(pk__in=moved).update(
                state=to,
                event_seq=F("event_seq") + 1,
                state_changed_at=now,
                state_reason=reason,
                ended_at=ended,
                looked_at=None,
                **changes,
            )
            TaskEvent.objects.bulk_create(
                TaskEvent(
                    task_id=pk,
                    seq=seq + 1,
                    from_state=state,
                    to_state=to,
                    actor=actor,
                    at=now,
                    reason=reason,
                )
                for pk, state, seq in rows
            )
    return moved


def must_move(
    task: Task, to: TaskState, *, actor: str, reason: str, now: dt.datetime, **changes: Any
) -> None:
    """Move exactly this task; IllegalMove when it may not."""
    same = Task.objects.filter(pk=task.pk)
    if not move(same, to, actor=actor, reason=reason, now=now, **changes):
        raise _illegal(Task.objects.get(pk=task.pk), to)


def _illegal(task: Task, to: TaskState) -> IllegalMove:
    if task.is_grouping:
        return IllegalMove(
            f"task {task.pk} only groups jobs that were submitted: nothing carries it", legal=[]
        )
    there = legal(TaskState(task.state))
    facts: dict[str, Any] = {"from": task.state, "to": str(to), "legal": there}
    return IllegalMove(
        f"task {task.pk} is {task.state}, it may not become {to}"
        f" (legal: {', '.join(there) or 'none, the state is final'})",
        **facts,
    )


def note(task: Task, *, actor: str, reason: str, now: dt.datetime) -> None:
    """An event without a move: a deed that leaves the state as it is."""
    same = Task.objects.filter(pk=task.pk)
    held = same.select_for_update(no_key=True).get()
    _record(same, held.state, held.state, actor=actor, reason=reason, now=now)


def _record(
    tasks: QuerySet[Task], old: str, new: str, *, actor: str, reason: str, now: dt.datetime
) -> None:
    """One event for each of these tasks, which the caller holds."""
    tasks.update(event_seq=F("event_seq") + 1)
    TaskEvent.objects.bulk_create(
        TaskEvent(
            task_id=pk, seq=seq, from_state=old, to_state=new, actor=actor, at=now, reason=reason
        )
        for pk, seq in tasks.order_by("pk").values_list("pk", "event_seq")
    )


# -- Bamboo ----------------------------------------------------------------------------------


def assign_cloud(task: Task, cloud: Cloud, *, reason: str, actor: str, now: dt.datetime) -> None:
    """assigning -> ready, in this cloud; IllegalMove when it does not wait for one."""
    words = f"cloud {cloud.name}: {reason}"
    must_move(task, TaskState.READY, actor=actor, reason=words, now=now, cloud=cloud)
    nudge(SWEEP)


def refuse(task: Task, *, reason: str, actor: str, now: dt.datetime) -> None:
    """-> broken: it can never run, for this reason."""
    must_move(task, TaskState.BROKEN, actor=actor, reason=reason, now=now)


# -- by hand ---------------------------------------------------------------------------------


def kill(task: Task, *, reason: str, actor: str, now: dt.datetime) -> None:
    """-> aborting: the engine ends its jobs, and calls it aborted when the last one has ended."""
    with transaction.atomic():
        must_move(task, TaskState.ABORTING, actor=actor, reason=reason, now=now)
        _drop_planned(task, [*Stage], now=now)
    nudge(SWEEP)


def _drop_planned(task: Task, stages: Collection[Stage], *, now: dt.datetime) -> None:
    """Pieces of these stages without a job will not have one."""
    planned = TaskPiece.objects.filter(task=task, stage__in=stages, state=PieceState.PLANNED)
    planned.update(state=PieceState.DROPPED, ended_at=now)
    progress.refresh([task.pk])


def finish(task: Task, *, reason: str, actor: str, now: dt.datetime) -> None:
    """-> finishing: no new jobs but merges; those that no pilot has are cancelled, others end."""
    with transaction.atomic():
        must_move(task, TaskState.FINISHING, actor=actor, reason=reason, now=now, cut_short=True)
        _drop_planned(task, [Stage.BUILD, Stage.WORK], now=now)
    nudge(SWEEP)


def pause(task: Task, *, reason: str, actor: str, now: dt.datetime) -> None:
    """-> paused: no new jobs are made; those that there are go on."""
    state = F("state")
    must_move(task, TaskState.PAUSED, actor=actor, reason=reason, now=now, old_state=state)


def resume(task: Task, *, reason: str, actor: str, now: dt.datetime) -> None:
    """paused -> where it was."""
    with transaction.atomic():
        held = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
        if held.state != TaskState.PAUSED:
            raise Conflict(f"task {task.pk} is {held.state or 'a grouping'}, not paused")
        back = TaskState(held.old_state)
        assert back in PAUSABLE  # nothing else may have been paused
        same = Task.objects.filter(pk=task.pk)
        paused = [TaskState.PAUSED]
        move(same, back, actor=actor, reason=reason, now=now, only_from=paused, old_state="")
    nudge(SWEEP)


def retry_failed(
    task: Task,
    *,
    reason: str,
    actor: str,
    now: dt.datetime,
    changes: Mapping[str, Any] | None = None,
) -> int:
    """Try what failed, or was left out, again; returns how many pieces of work.

    `changes` are fields of the request (CHANGEABLE) that are different from now on. A task that has
    ended, or whose scouts failed, goes back to work. Conflict when there is nothing to try.
    """
    with transaction.atomic():
        held = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
        to = _retried_in(held)
        changed = changed_by(held, changes) if changes else {}
        cut_anew = any(name in CUTTING for name in changes or ())
        again = recovery.plan_again(held, cut_anew=cut_anew)
        if not again and not held.cut_short:
            raise Conflict(f"nothing of task {held.pk} has failed", code="nothing_failed")
        whole = f" of {held.pieces:,}" if held.pieces else ""
        words = f"tries {again:,}{whole} pieces of work again: {reason}"
        columns = {**changed, "cut_short": False}
        same = Task.objects.filter(pk=held.pk)
        if to == held.state:
            same.update(**columns)
            note(held, actor=actor, reason=words, now=now)
        else:
            must_move(held, to, actor=actor, reason=words, now=now, **columns)
        progress.refresh([held.pk])
    nudge(SWEEP)
    return again


# What has failed is tried again from these states, which leads to those.
_RETRIED: Mapping[str, TaskState] = {
    TaskState.SCOUTING: TaskState.SCOUTING,
    TaskState.RUNNING: TaskState.RUNNING,
    TaskState.FINISHING: TaskState.RUNNING,
    TaskState.FINISHED: TaskState.RUNNING,
    TaskState.FAILED: TaskState.RUNNING,
    TaskState.EXHAUSTED: TaskState.SCOUTING,
}


def _retried_in(task: Task) -> TaskState:
    """Where a retry of it leads; IllegalMove when its state has none."""
    if task.is_grouping:
        raise _illegal(task, TaskState.RUNNING)
    if (to := _RETRIED.get(task.state)) is None:
        words = f"task {task.pk} is {task.state}: tried again is what is {', '.join(_RETRIED)}"
        facts: dict[str, Any] = {"from": task.state, "legal": legal(TaskState(task.state))}
        raise IllegalMove(words, **facts)
    return to


def set_priority(task: Task, priority: int, *, reason: str, actor: str, now: dt.datetime) -> None:
    """Another priority for the task and for those of its jobs that no pilot has."""
    with transaction.atomic():
        held = Task.objects.select_for_update(no_key=True).get(pk=task.pk)
        if held.is_grouping or held.state in FINAL:
            raise Conflict(f"task {held.pk} is {held.state or 'a grouping of jobs'}")
        Task.objects.filter(pk=held.pk).update(priority=priority)
        waiting = Job.objects.filter(task=held, state__in=QUEUED).order_by("pk")
        ids = list(waiting.select_for_update(skip_locked=True, of=("self",)).values_list("pk"))
        Job.objects.filter(pk__in=[pk for (pk,) in ids]).update(
            assigned_priority=priority, current_priority=priority, modification_time=now
        )
        words = f"priority {held.priority} -> {priority}: {reason}"
        note(held, actor=actor, reason=words, now=now)
