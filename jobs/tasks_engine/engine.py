"""One round of the engine: the sweep `jobs.tasks`.

1. pieces follow their jobs; 2. failed pieces whose job somebody tries again are at work again;
3. tasks move; 4. new input is listed, and work is cut into pieces; 5. pieces get jobs.

Each step is a few statements for all tasks of the round, in transactions of its own, and finds
out for itself what there is to do: wherever a round ends, the next one goes on.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from jobs.models import Task, TaskDataset
from jobs.tasks_engine import cutting, feeding, following, making, progress, recovery, services
from jobs.tasks_engine.deciding import Move, decide
from jobs.tasks_engine.ending import abort_outputs, cancel_rest, close_outputs
from jobs.tasks_engine.looking import facts_of
from jobs.tasks_engine.measuring import measured
from jobs.tasks_engine.scouts import in_words
from jobs.tasks_engine.services import SWEEP
from jobs.tasks_engine.states import AT_WORK, TaskState
from pandasite.base import inorder
from pandasite.base.errors import Conflict
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Incomplete, Round

log = logging.getLogger(__name__)
S = TaskState
TASKS = 500  # that one round looks at, the longest not looked at first
MOVES = 4  # of one task in a round: from registered to running
SECONDS = 8.0
ACTOR = "tasks"
_READING = (S.READY, S.PENDING, S.SCOUTING, S.RUNNING)
_WITH_JOBS = (S.SCOUTING, S.RUNNING, S.FINISHING)


def run(now: dt.datetime) -> int:
    """One round; returns how many rows it has changed."""
    work = Round(seconds=SECONDS)
    work.do("pieces with jobs", partial(_follow, work, now))
    tasks = _due()
    work.do("failed pieces", partial(_revive, tasks))
    for _ in range(MOVES):
        before = work.rows
        work.do("input", partial(_feed, tasks))
        work.do("moves", partial(_move, tasks, now))
        if work.rows == before or work.over:
            break
    work.do("jobs that are not wanted", partial(cancel_rest, tasks, now=now))
    _cut(work, tasks)
    work.do("the time of this look", partial(_looked, tasks, now))
    _make(work, now)
    if work.over or _news():  # there is more to do
        nudge(SWEEP)
    return work.end()


def _due() -> list[int]:
    """Tasks at work: those with news first, then those not looked at for longest."""
    at_work = Task.objects.filter(state__in=AT_WORK)
    longest = at_work.order_by(F("looked_at").asc(nulls_first=True), "pk")
    return list(longest.values_list("pk", flat=True)[:TASKS])


def _news() -> bool:
    """Whether there are tasks with news that this round has not looked at."""
    return Task.objects.filter(state__in=AT_WORK, looked_at=None).exists()


def _looked(tasks: Sequence[int], now: dt.datetime) -> int:
    """Note the look at these tasks; those that somebody else holds have news. No row counts."""
    with transaction.atomic():
        held = inorder.hold(Task.objects.filter(pk__in=tasks), skip_locked=True)
        Task.objects.filter(pk__in=held).update(looked_at=now)
    return 0


def _follow(work: Round, now: dt.datetime) -> int:
    try:
        return following.follow(now)
    except Incomplete as some:
        work.failures.append(str(some))
        return some.rows


def _revive(tasks: Sequence[int]) -> int:
    """Pieces whose failed job has a successor by now."""
    with transaction.atomic():
        held = _hold(Task.objects.filter(pk__in=tasks, state__in=_WITH_JOBS))
        revived = recovery.revive([task.pk for task in held])
        progress.refresh(revived)
    return len(revived)


def _hold(tasks: QuerySet[Task]) -> list[Task]:
    """These tasks, locked; those that somebody else holds are left to him."""
    return list(tasks.order_by("pk").select_for_update(no_key=True, skip_locked=True, of=("self",)))


def _feed(tasks: Sequence[int]) -> int:
    """List what is new to be read."""
    with transaction.atomic():
        reading = Task.objects.filter(pk__in=tasks, state__in=_READING, input_open=True)
        held = [task.pk for task in _hold(reading)]
        return feeding.feed(held) if held else 0


def _feed_merges(tasks: Sequence[int]) -> set[int]:
    """List what is new to be merged; returns the tasks of which that may not be all."""
    merged = TaskDataset.objects.filter(task=OuterRef("pk"), role=TaskDataset.Role.MERGED)
    merging = Task.objects.filter(Exists(merged), pk__in=tasks, state__in=_WITH_JOBS)
    left = set(merging.values_list("pk", flat=True))
    with transaction.atomic():
        held = [task.pk for task in _hold(merging)]
        if held and feeding.feed_merges(held) < feeding.MOST:
            left -= set(held)
    return left


def _move(tasks: Sequence[int], now: dt.datetime) -> int:
    """Each task by what is known of it; those with the same move and reason at once.

    What is to be merged is listed behind the look at the pieces: when all of them had ended by
    then, all that they made is listed. Where it is not, nothing is decided.
    """
    rows = list(Task.objects.select_related("parent").filter(pk__in=tasks, state__in=AT_WORK))
    left = _feed_merges(tasks)
    alike: dict[tuple[TaskState, Move], list[int]] = defaultdict(list)
    for pk, facts in facts_of([task for task in rows if task.pk not in left]).items():
        if step := decide(facts):
            alike[facts.state, step].append(pk)
    moved = 0
    for (since, step), ids in alike.items():
        if since == S.SCOUTING and step.to == S.RUNNING:
            moved += sum(_go_on(pk, step, now, result) for pk, result in _results(ids))
        else:
            moved += len(_step(ids, since, step, now))
    return moved


def _step(
    ids: Sequence[int], since: TaskState, step: Move, now: dt.datetime, **changes: Any
) -> list[int]:
    with transaction.atomic():
        moved = services.move(
            Task.objects.filter(pk__in=ids),
            step.to,
            actor=ACTOR,
            reason=step.reason,
            now=now,
            only_from=[since],
            **changes,
        )
        if step.to == S.DONE:
            close_outputs(moved, now=now)
        if step.to == S.ABORTED:
            abort_outputs(moved, now=now)
    return moved


def _results(ids: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    found = measured(ids)
    return [(pk, found.get(pk, {})) for pk in ids]


def _go_on(pk: int, step: Move, now: dt.datetime, result: dict[str, Any]) -> int:
    """The rest of a task's jobs, after what its scouts came to."""
    words = f"{step.reason}{in_words(result)}"
    told = Move(step.to, words)
    return len(_step([pk], S.SCOUTING, told, now, measured=result))


def _cut(work: Round, tasks: Sequence[int]) -> None:
    rows = Task.objects.select_related("parent").filter(pk__in=tasks, state__in=_WITH_JOBS)
    for pk, facts in facts_of(list(rows)).items():
        if work.over:
            break
        if facts.to_build:
            work.do(f"build of task {pk}", partial(_build_one, pk))
        elif facts.to_cut:
            work.do(f"task {pk}", partial(_cut_one, pk, facts.work_ended))


def _build_one(pk: int) -> int:
    """The piece that builds."""
    with transaction.atomic():
        held = _hold(Task.objects.filter(pk=pk, state__in=_WITH_JOBS))
        return sum(cutting.cut_build(task) for task in held)


def _cut_one(pk: int, work_ended: bool) -> int:
    """Pieces of one task; `work_ended` cannot become untrue but by hand, and then it says so."""
    with transaction.atomic():
        held = _hold(Task.objects.filter(pk=pk, state__in=_WITH_JOBS))
        pieces = sum(cutting.cut(task, work_ended=work_ended) for task in held)
        if pieces:
            progress.refresh([pk])
    return pieces


def _make(work: Round, now: dt.datetime) -> None:
    while not work.over:
        before = work.rows
        went_well = work.do("jobs of pieces", partial(_make_some, now))
        if not went_well or work.rows == before:
            break


def _make_some(now: dt.datetime) -> int:
    try:
        return sum(making.make_some(now=now))
    except Conflict as busy:
        # others promise and give up the same outputs just now
        log.info("jobs_not_made", extra={"error": str(busy)})
        return 0
