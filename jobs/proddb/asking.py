"""What Bamboo asks prodDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, Q

from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.proddb.session import translated
from jobs.proddb.states import ProdState


@dataclass(frozen=True, kw_only=True)
class Request:
    """A task request as production wrote it. `parameters` None: its jobs are defined one by one."""

    request_id: int
    name: str
    owner: str
    vo: str
    working_group: str
    processing_type: str
    campaign: str
    parent_id: int | None
    priority: int
    cloud: str
    input_dataset: str
    validation: bool
    parameters: Any
    state: str


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A job definition as production wrote it."""

    definition_id: int
    request_id: int
    name: str
    transformation: str
    parameters: str
    events: int | None
    priority: int | None
    details: Any


class Backlog(NamedTuple):
    """What waits in prodDB to be taken: tasks, job definitions."""

    tasks: int
    jobs: int


REQUEST = tuple(Request.__dataclass_fields__)
DEFINITION = tuple(Definition.__dataclass_fields__)
TO_DO = ProdState.TOBEDONE


def new_tasks(*, after: int, limit: int) -> list[Request]:
    """Requests to be done, in the order of their numbers."""
    with translated():
        rows = TaskRequest.objects.filter(state=TO_DO, request_id__gt=after)
        return _requests(rows.order_by("request_id").values(*REQUEST)[:limit])


def requests(request_ids: Collection[int]) -> list[Request]:
    """Those of these numbers that there are."""
    with translated():
        rows = TaskRequest.objects.filter(request_id__in=request_ids)
        return _requests(rows.order_by("request_id").values(*REQUEST))


def _requests(rows: Iterable[dict[str, Any]]) -> list[Request]:
    return [Request(**row) for row in rows]


def new_definitions(request_ids: Sequence[int], *, after: int, limit: int) -> list[Definition]:
    """Job definitions of these tasks that are to be submitted, in the order of their numbers."""
    with translated():
        rows = JobDefinition.objects.filter(
            state=TO_DO, definition_id__gt=after, request_id__in=request_ids
        )
        found = rows.order_by("definition_id").values(*DEFINITION)[:limit]
        return [Definition(**row) for row in found]


def strays(*, limit: int) -> list[tuple[int, int, str | None]]:
    """Definitions to be done whose task is not there, or will never be worked on.

    (definition_id, request_id, state of that task, None where there is no such task).
    """
    dead = (ProdState.REFUSED, ProdState.ABORTED)
    with translated():
        task = TaskRequest.objects.filter(request_id=OuterRef("request_id"))
        rows = JobDefinition.objects.filter(
            ~Exists(task) | Exists(task.filter(state__in=dead)), state=TO_DO
        )
        found = list(rows.order_by("definition_id").values_list("pk", "request_id")[:limit])
        known = TaskRequest.objects.filter(request_id__in={request for _pk, request in found})
        states = dict(known.values_list("request_id", "state"))
        return [(pk, request, states.get(request)) for pk, request in found]


def names_of_definitions(*, task_begins: str) -> list[str]:
    """Names of the job definitions of tasks whose names begin so."""
    with translated():
        tasks = TaskRequest.objects.filter(name__startswith=task_begins).values("request_id")
        rows = JobDefinition.objects.filter(request_id__in=tasks)
        return list(rows.values_list("name", flat=True))


def backlog() -> Backlog:
    """How much waits to be taken."""
    with translated():
        return Backlog(
            tasks=TaskRequest.objects.filter(state=TO_DO).count(),
            jobs=JobDefinition.objects.filter(state=TO_DO).count(),
        )


def left() -> dict[int, int]:
    """By task: definitions that are still to be submitted."""
    with translated():
        rows = JobDefinition.objects.filter(state=TO_DO)
        return dict(rows.values_list("request_id").annotate(n=Count("pk")).order_by())


def left_of(request_ids: Collection[int]) -> dict[int, int]:
    """The same for these tasks."""
    with translated():
        rows = JobDefinition.objects.filter(request_id__in=request_ids, state=TO_DO)
        return dict(rows.values_list("request_id").annotate(n=Count("pk")).order_by())


def states_of_tasks(request_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """By task: how many of its definitions are in which state."""
    found: dict[int, dict[str, int]] = {}
    with translated():
        rows = JobDefinition.objects.filter(Q(request_id__in=request_ids))
        for request, state, n in (
            rows.values_list("request_id", "state").annotate(n=Count("pk")).order_by()
        ):
            found.setdefault(request, {})[state] = n
    return found


class Standing(NamedTuple):
    """How far a task is, as prodDB says."""

    name: str
    state: str
    reason: str
    cloud: str
    jobs_total: int
    jobs_finished: int
    jobs_failed: int


def standings(*, owner: str, names: Collection[str]) -> list[Standing]:
    """Those of these tasks that there are, in the order of their numbers."""
    columns = ("name", "state", "reason", "given_cloud")
    counts = ("jobs_total", "jobs_finished", "jobs_failed")
    with translated():
        rows = TaskRequest.objects.filter(owner=owner, name__in=names).order_by("request_id")
        return [Standing(*row) for row in rows.values_list(*columns, *counts)]
