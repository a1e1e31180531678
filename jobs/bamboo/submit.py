"""Step 3: make and submit the jobs of job definitions whose task has a cloud.

A job and the note that its definition has one are written in one transaction: whatever dies before
or after, the next cycle sees both or none. What prodDB says meanwhile does not matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User
from django.db import transaction

from jobs import submit as submission
from jobs.api.resolve import index_of
from jobs.bamboo import specs
from jobs.bamboo.turn import Turn
from jobs.models import BambooJob, BambooSubmission, BambooTask
from jobs.proddb import door
from jobs.proddb.door import Definition
from jobs.rows import JobSpec
from pandasite.base.errors import Conflict, Unprocessable

PAGE = 1000
STRAYS = 1000


def run(turn: Turn) -> int:
    """Submit a page at a time, in the order of the definitions; how many jobs that made."""
    with door.open_session():
        left = door.left()
        _refuse_strays(turn, left)
        ready = _ready(left)
        after = 0
        while ready and not turn.over:
            if turn.done["submitted"] >= turn.limits.jobs:
                turn.more = True
                break
            page = door.new_definitions([*ready], after=after, limit=PAGE)
            if not page:
                break
            after = page[-1].definition_id
            turn.done["submitted"] += _submit(turn, page, ready)
    return turn.done["submitted"]


def _ready(left: Mapping[int, int]) -> dict[int, BambooTask]:
    """Tasks with a cloud that have something to submit; all learn how much that is."""
    notes = BambooTask.objects.filter(pk__in=left, kind=BambooTask.Kind.DEFINED, abort=False)
    notes = notes.exclude(pk__in=door.tasks_to_abort(after=0, limit=PAGE))
    found = {note.pk: note for note in notes.select_related("task__owner", "task__vo", "cloud")}
    changed = [note for note in found.values() if note.to_submit != left[note.pk]]
    for note in changed:
        note.to_submit = left[note.pk]
    BambooTask.objects.bulk_update(changed, ["to_submit"], batch_size=1000)
    return {pk: note for pk, note in found.items() if note.cloud is not None}


def _refuse_strays(turn: Turn, left: Mapping[int, int]) -> None:
    """Definitions that nobody will ever come to."""
    reasons = {}
    for number, request, state in door.strays(limit=STRAYS):
        what = f"is {state}" if state else "is not there"
        reasons[number] = f"request_id: task request {request} {what}"
    made = BambooTask.objects.filter(pk__in=left, kind=BambooTask.Kind.ENGINE)
    if keys := list(made.values_list("pk", flat=True)):
        for one in door.new_definitions(keys, after=0, limit=STRAYS):
            what = "has parameters: its jobs are made of these"
            reasons[one.definition_id] = f"request_id: task request {one.request_id} {what}"
    refused = door.refuse_definitions(reasons)
    turn.refused("job", {number: reasons[number] for number in refused}, {})


def _submit(turn: Turn, page: Sequence[Definition], tasks: Mapping[int, BambooTask]) -> int:
    """The new ones of a page. Those that have a job have only not been confirmed, or were wished
    for again: step 4 says what they are."""
    numbers = [one.definition_id for one in page]
    known = BambooJob.objects.filter(pk__in=numbers)
    linked = set(known.values_list("pk", flat=True))
    known.filter(pk__in=linked).update(seq=0, settled=False)
    new = [one for one in page if one.definition_id not in linked]
    good, reasons = specs.check(new, tasks)
    by_owner: defaultdict[int, dict[int, JobSpec]] = defaultdict(dict)
    of_task = {one.definition_id: one.request_id for one in new}
    for number, spec in good.items():
        by_owner[tasks[of_task[number]].task.owner_id][number] = spec
    made: Counter[int] = Counter()
    for owned in by_owner.values():
        owner = tasks[of_task[next(iter(owned))]].task.owner
        made += _create(turn, owner, owned, of_task, reasons)
    _refuse(turn, new, reasons, of_task)
    return made.total()


def _create(
    turn: Turn,
    owner: User,
    wanted: dict[int, JobSpec],
    of_task: Mapping[int, int],
    reasons: dict[int, str],
) -> Counter[int]:
    """Jobs with their notes, all or none; without those whose outputs cannot be promised."""
    while wanted:
        numbers = [*wanted]
        try:
            with transaction.atomic():
                return _write(turn, owner, wanted, of_task)
        except Unprocessable as refused:
            faults = {numbers[index_of(f["field"])]: f["message"] for f in refused.fields}
            if not faults:
                raise
            reasons |= {n: m.partition(".")[2] or m for n, m in faults.items()}
            wanted = {n: spec for n, spec in wanted.items() if n not in faults}
        except Conflict:
            turn.more = True  # others promise the same outputs just now
            break
    return Counter()


def _write(
    turn: Turn, owner: User, wanted: Mapping[int, JobSpec], of_task: Mapping[int, int]
) -> Counter[int]:
    made = submission.create(owner=owner, specs=[*wanted.values()], now=turn.now)
    BambooJob.objects.bulk_create(
        BambooJob(definition_id=number, request_id=of_task[number], panda_id=panda_id, state=state)
        for number, panda_id, state in zip(wanted, made.panda_ids, made.states, strict=True)
    )
    jobs = Counter(of_task[number] for number in wanted)
    BambooTask.objects.filter(pk__in=jobs).update(stale=True)
    _note(turn, jobs, Counter())
    return jobs


def _refuse(
    turn: Turn, page: Sequence[Definition], reasons: Mapping[int, str], of_task: Mapping[int, int]
) -> None:
    refused = door.refuse_definitions(reasons)
    names = {one.definition_id: one.name for one in page}
    turn.refused("job", {number: reasons[number] for number in refused}, names)
    by_task = Counter(of_task[number] for number in refused)
    BambooTask.objects.filter(pk__in=by_task).update(stale=True)
    _note(turn, Counter(), by_task)


def _note(turn: Turn, jobs: Counter[int], refused: Counter[int]) -> None:
    """What this round did for each task, for the page of submissions."""
    rows = {
        row.task_id: row
        for row in BambooSubmission.objects.filter(round=turn.round, task__in=jobs | refused)
    }
    for request in jobs | refused:
        row = rows.setdefault(
            request, BambooSubmission(round=turn.round, task_id=request, at=turn.now)
        )
        row.jobs += jobs[request]
        row.refused += refused[request]
    BambooSubmission.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["round", "task"],
        update_fields=["jobs", "refused"],
    )
