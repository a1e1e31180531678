"""How far tasks are: counted from the notes of their jobs, or taken over from the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When

from jobs.bamboo.aborted import abort_outputs
from jobs.bamboo.engine import SAID
from jobs.bamboo.turn import Turn
from jobs.models import BambooTask
from jobs.proddb import door
from jobs.proddb.door import ProdState, TaskNews
from jobs.states import FINAL, JobState
from jobs.tasks_engine.states import TaskState

PAGE = 1000
P = ProdState

_SUMS = """
SELECT request_id, count(*), count(*) FILTER (WHERE settled AND state = 'finished'),
  count(*) FILTER (WHERE settled AND state <> 'finished'),
  count(*) FILTER (WHERE NOT settled),
  count(*) FILTER (WHERE state = ANY(%s))
FROM jobs_bamboojob WHERE request_id = ANY(%s) GROUP BY 1
"""
BEGUN = [s.value for s in JobState if door.OF_JOB[s] is P.RUNNING or s in FINAL]


def sum_up(turn: Turn) -> None:
    """All stale tasks, a page at a time; their flag goes before they are counted."""
    _hear_of_engine()
    while True:
        stale = BambooTask.objects.filter(stale=True).order_by("pk").values_list("pk", flat=True)
        page = list(stale[:PAGE])
        if not page:
            return
        left, defined = door.left_of(page), door.states_of_tasks(page)
        with transaction.atomic():
            BambooTask.objects.filter(pk__in=page).update(stale=False)
            abort_outputs(_sum_up(page, left, defined), now=turn.now)


def _hear_of_engine() -> None:
    """Tasks of the engine that are not what was noted of them."""
    says = Case(*(When(task__state=state, then=Value(said)) for state, said in SAID.items()))
    differs = (
        ~Q(state=says)
        | ~Q(jobs_total=F("task__pieces"))
        | ~Q(jobs_finished=F("task__pieces_done"))
        | ~Q(jobs_failed=F("task__pieces_failed"))
        | ~Q(files_done=F("task__inputs_done"))
    )
    made = BambooTask.objects.filter(kind=BambooTask.Kind.ENGINE, stale=False)
    keys = made.filter(differs).values_list("pk", flat=True)
    BambooTask.objects.filter(pk__in=list(keys)).update(stale=True)


def _sum_up(
    page: Sequence[int], left: Mapping[int, int], defined: Mapping[int, Mapping[str, int]]
) -> list[BambooTask]:
    """Write the sums of these tasks; a new state or sum is a change that prodDB is to hear of.

    Those of defined jobs that are aborted since.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [BEGUN, list(page)])
        counted = {row[0]: row[1:] for row in cursor.fetchall()}
    changed, aborted = [], []
    for task in BambooTask.objects.filter(pk__in=page).select_related("task__cloud"):
        before = _told(task)
        task.to_submit = left.get(task.pk, 0)
        if task.kind == BambooTask.Kind.ENGINE:
            _take_over(task)
        else:
            _count(task, counted.get(task.pk, (0, 0, 0, 0, 0)), defined.get(task.pk, {}))
        if _told(task) != before:
            task.seq += 1
        if task.kind == BambooTask.Kind.DEFINED and task.state == P.ABORTED != before[0]:
            aborted.append(task)
        changed.append(task)
    columns = ["to_submit", "state", "reason", "jobs_total", "jobs_finished", "jobs_failed"]
    columns += ["files_done", "cloud", "seq"]
    BambooTask.objects.bulk_update(changed, columns, batch_size=PAGE)
    return aborted


def _told(task: BambooTask) -> tuple[object, ...]:
    """What prodDB is told of a task."""
    sums = (task.jobs_total, task.jobs_finished, task.jobs_failed, task.files_done)
    return (task.state, task.cloud_id, task.reason, *sums)


def _count(task: BambooTask, counted: Sequence[int], defined: Mapping[str, int]) -> None:
    """A task whose jobs are defined in prodDB. Its files are the outputs of finished jobs."""
    total, finished, failed, alive, begun = counted
    task.jobs_total, task.jobs_finished, task.jobs_failed = total, finished, failed
    task.files_done = finished
    if task.abort:
        if not alive and not task.to_submit:
            task.state = P.ABORTED
        return
    if task.cloud_id is None:
        task.state = P.ASSIGNING
        return
    task.reason = ""
    if alive or task.to_submit or not (total or defined):
        task.state = P.RUNNING if begun else P.SUBMITTED
    elif not total:
        task.state, task.reason = P.FAILED, "none of its job definitions could be submitted"
    elif finished == total == sum(defined.values()):
        task.state = P.DONE
    else:
        task.state = P.FINISHED if finished else P.FAILED


def _take_over(task: BambooTask) -> None:
    """A task of the engine, as the engine sees it."""
    made = task.task
    task.state, task.reason = SAID[TaskState(made.state)], made.state_reason[:500]
    task.cloud = made.cloud
    task.jobs_total, task.jobs_finished = made.pieces, made.pieces_done
    task.jobs_failed, task.files_done = made.pieces_failed, made.inputs_done


def unwritten(limit: int) -> list[TaskNews]:
    """What prodDB has not confirmed."""
    rows = BambooTask.objects.exclude(seq=F("written_seq")).select_related("cloud").order_by("pk")
    return [
        TaskNews(
            request_id=task.pk,
            task_id=task.task_id,
            seq=task.seq,
            state=P(task.state),
            cloud=task.cloud.name if task.cloud else "",
            jobs_total=task.jobs_total,
            jobs_finished=task.jobs_finished,
            jobs_failed=task.jobs_failed,
            files_done=task.files_done,
            reason=task.reason,
        )
        for task in rows[:limit]
    ]


_CONFIRM = """
UPDATE jobs_bambootask t SET written_seq = s.seq FROM unnest(%s::bigint[], %s::int[]) AS s (id, seq)
WHERE t.request_id = s.id
"""


def confirm(news: Sequence[TaskNews]) -> None:
    """prodDB has heard of these."""
    with connection.cursor() as cursor:
        cursor.execute(_CONFIRM, [[one.request_id for one in news], [one.seq for one in news]])
