"""Step 1: take new task requests, or answer why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from brokerage.models import VO, Cloud
from datasets.models import Dataset
from jobs import identity
from jobs.bamboo import engine
from jobs.bamboo.parents import behind_their_parents, faults_of_parents
from jobs.bamboo.turn import Turn
from jobs.models import BambooTask, Task
from jobs.proddb import door
from jobs.proddb.door import Request
from pandasite.base.copying import reserve_keys

PAGE = 500
PRIORITY = (-100_000, 1_000_000)
REQUIRED = (
    "name", "owner", "vo", "working_group", "processing_type", "campaign", "priority", "cloud",
    "input_dataset", "validation",
)  # fmt: skip
LONGEST = {
    "name": 255, "owner": 150, "working_group": 64, "processing_type": 64, "campaign": 64,
}  # fmt: skip
_username = UnicodeUsernameValidator()


@dataclass(kw_only=True)
class Known:
    """What the names of a page of requests stand for."""

    vos: Mapping[str, VO]
    clouds: Mapping[str, Cloud]
    datasets: frozenset[str]
    tasks: frozenset[tuple[str, str]]  # owner, name
    owners: dict[str, User] = field(default_factory=dict)

    @classmethod
    def of(cls, page: Sequence[Request]) -> Known:
        """A handful of queries for the page."""
        names = {request.input_dataset for request in page}
        mine = Task.objects.filter(name__in={request.name for request in page})
        return cls(
            vos={vo.name: vo for vo in VO.objects.all()},
            clouds={cloud.name: cloud for cloud in Cloud.objects.all()},
            datasets=frozenset(
                Dataset.objects.filter(name__in=names).values_list("name", flat=True)
            ),
            tasks=frozenset(mine.values_list("owner__username", "name")),
        )

    def owner(self, name: str) -> User:
        """The account, made without a password when it is new: production names its people."""
        if name not in self.owners:
            self.owners[name] = identity.person(name)
        return self.owners[name]


def run(turn: Turn) -> int:
    """Take requests a page at a time; how many were taken."""
    after = 0
    with door.open_session():
        while not turn.over:
            if turn.done["taken"] >= turn.limits.tasks:
                turn.more = True
                break
            page = door.new_tasks(after=after, limit=PAGE)
            if not page:
                break
            after = page[-1].request_id
            turn.done["taken"] += _take(turn, page)
    return turn.done["taken"]


def _take(turn: Turn, page: Sequence[Request]) -> int:
    """Those that were taken before have only not been confirmed, or were wished for again: step 4
    says what they are."""
    before = BambooTask.objects.filter(pk__in=[request.request_id for request in page])
    taken = set(before.values_list("pk", flat=True))
    before.filter(written_seq=F("seq")).update(written_seq=0)
    new = [request for request in page if request.request_id not in taken]
    known = Known.of(new)
    reasons = dict(_faults(new, known))
    _refuse_children(new, reasons)
    good = [request for request in new if request.request_id not in reasons]
    waiting = behind_their_parents(good)
    turn.more |= bool(waiting)
    good = [request for request in good if request.request_id not in waiting]
    left = door.left_of([request.request_id for request in good])
    with transaction.atomic():
        reasons |= _create(good, known, left, turn)
    refused = door.refuse_tasks(reasons)
    names = {request.request_id: request.name for request in new}
    turn.refused("task", {number: reasons[number] for number in refused}, names)
    return len(new) - len(reasons) - len(waiting)


def _faults(page: Sequence[Request], known: Known) -> Iterable[tuple[int, str]]:
    """Why requests of the page make no sense, by their number."""
    seen: set[tuple[str, str]] = set()
    for request in page:
        reason = _fault(request, known)
        named = (request.owner, request.name)
        if reason is None and (named in known.tasks or named in seen):
            reason = f"name: {request.owner} has a task {request.name} already"
        seen.add(named)
        if reason is not None:
            yield request.request_id, reason
    yield from faults_of_parents(page)


def _refuse_children(page: Sequence[Request], reasons: dict[int, str]) -> None:
    """Who has a parent that is refused will never have its input."""
    while fresh := [
        request
        for request in page
        if request.parent_id in reasons and request.request_id not in reasons
    ]:
        for request in fresh:
            reasons[request.request_id] = f"parent_id: request {request.parent_id} is refused"


def _fault(request: Request, known: Known) -> str | None:
    low, high = PRIORITY
    if misfit := _misfit(request):
        return misfit
    if not request.name.strip():
        return "name: is empty"
    try:
        _username(request.owner)
    except ValidationError:
        return f"owner: {request.owner!r} is no name of a user"
    if request.vo not in known.vos:
        return f"vo: {request.vo!r} is not known; there are {', '.join(sorted(known.vos))}"
    if request.cloud and request.cloud not in known.clouds:
        return f"cloud: {request.cloud} is not known; there are {', '.join(sorted(known.clouds))}"
    if not low <= request.priority <= high:
        return f"priority: must be from {low} to {high}, not {request.priority}"
    if request.input_dataset and request.input_dataset not in known.datasets:
        return f"input_dataset: there is no dataset {request.input_dataset}"
    return None


def _misfit(request: Request) -> str | None:
    """What a table of prodDB cannot hold; a view in its place may."""
    for column in REQUIRED:
        if getattr(request, column) is None:
            return f"{column}: is NULL"
    for column, longest in LONGEST.items():
        if len(getattr(request, column)) > longest:
            return f"{column}: may have {longest} characters at most"
    return None


def _create(
    good: Sequence[Request], known: Known, left: Mapping[int, int], turn: Turn
) -> dict[int, str]:
    """The tasks and the notes that they were taken; why some could not be."""
    defined = [request for request in good if request.parameters is None]
    made = [request for request in good if request.parameters is not None]
    keys = dict(zip((r.request_id for r in defined), reserve_keys(Task, len(defined)), strict=True))
    Task.objects.bulk_create(_task(r, keys[r.request_id], known, turn) for r in defined)
    tasks, reasons = engine.register(made, beside=keys, owner=known.owner, now=turn.now)
    kinds = BambooTask.Kind
    rows = [_note(r, keys[r.request_id], kinds.DEFINED, left, turn) for r in defined]
    rows += [
        _note(r, tasks[r.request_id], kinds.ENGINE, {}, turn) for r in made if r.request_id in tasks
    ]
    BambooTask.objects.bulk_create(rows)
    return reasons


def _task(request: Request, key: int, known: Known, turn: Turn) -> Task:
    """A task that groups jobs; nobody moves it."""
    return Task(
        pk=key,
        name=request.name,
        owner=known.owner(request.owner),
        vo=known.vos[request.vo],
        working_group=request.working_group,
        processing_type=request.processing_type,
        campaign=request.campaign,
        request_id=request.request_id,
        created_at=turn.now,
    )


def _note(
    request: Request, task_id: int, kind: BambooTask.Kind, left: Mapping[int, int], turn: Turn
) -> BambooTask:
    return BambooTask(
        request_id=request.request_id,
        task_id=task_id,
        kind=kind,
        name=request.name,
        processing_type=request.processing_type,
        priority=request.priority,
        wanted_cloud=request.cloud,
        validation=request.validation,
        input_dataset=request.input_dataset,
        to_submit=left.get(request.request_id, 0),
        taken_at=turn.now,
    )
