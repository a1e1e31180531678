"""Lists of a person's tasks, by what pbook filters by."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from jobs.api.panda.call import Call
from jobs.api.panda.client import telling
from jobs.api.panda.client.asking import own_task, person, task_of, yes
from jobs.api.panda.fields import INT64, Said, refuse
from jobs.api.task_listing import RELATED
from jobs.models import AnyJob, Task, TaskDataset
from jobs.tasks_engine.deeds import may
from pandasite.base.json import loads_strict

MOST: Final = 1000
FILTERS: Final = ("jediTaskID", "reqID", "status", "superStatus", "taskName", "userName")
TEXT_MAX: Final = 10_000  # bytes


def detailed_since(call: Call) -> list[dict[str, Any]]:
    """The caller's tasks that have moved since then, newest first; of others by `userName`."""
    said = Said(call.values)
    most = said.whole("n_tasks", low=1, high=MOST) or MOST
    tasks = _filtered(person(call).get_username(), _filters(call))
    rows = _since(tasks, call).select_related(*RELATED).order_by("-pk")[:most]
    return [telling.detailed(task) for task in rows]


def modified_since(call: Call) -> dict[str, Any]:
    """The older call: by number."""
    least = Said(call.values).whole("min_task_id", low=0, high=INT64)
    tasks = _since(Task.objects.filter(owner=person(call)), call)
    if least is not None:
        tasks = tasks.filter(pk__gt=least)
    rows = tasks.select_related(*RELATED).order_by("-pk")[:MOST]
    return {str(task.pk): telling.detailed(task) for task in rows}


def _filters(call: Call) -> dict[str, str]:
    """JSON text of an object."""
    value = call.values.get("filters")
    if value in (None, "", "None"):
        return {}
    if isinstance(value, str):
        value = loads_strict(value.encode(errors="replace"), max_bytes=TEXT_MAX)
    if not isinstance(value, dict):
        raise refuse("filters", "must be a JSON object", code="not_an_object")
    for name in value:
        if name not in FILTERS:
            known = list(FILTERS)
            raise refuse(f"filters.{name}", "is not known", code="unknown_filter", known=known)
    return {name: str(one) for name, one in value.items()}


def _filtered(caller: str, filters: dict[str, str]) -> QuerySet[Task]:
    said = Said(filters)
    tasks = Task.objects.filter(owner__username=filters.get("userName", caller))
    if (task_id := said.whole("jediTaskID", low=1, high=INT64)) is not None:
        tasks = tasks.filter(pk=task_id)
    if (number := said.whole("reqID", low=1, high=INT64)) is not None:
        tasks = tasks.filter(Q(request_id=number) | Q(request_id=None, pk=number))
    if "status" in filters or "superStatus" in filters:
        status, coarse = filters.get("status", ""), filters.get("superStatus", "")
        tasks = tasks.filter(state__in=telling.states_of(status=status, coarse=coarse))
    if name := filters.get("taskName", "").rstrip("/"):
        if name.endswith("*"):
            tasks = tasks.filter(name__startswith=name.rstrip("*"))
        else:
            tasks = tasks.filter(name=name)
    return tasks


def _since(tasks: QuerySet[Task], call: Call) -> QuerySet[Task]:
    value = call.values.get("since")
    if value in (None, "", "None"):
        return tasks
    try:
        moment = dt.datetime.strptime(str(value), telling.DATE).replace(tzinfo=dt.UTC)
    except ValueError as error:
        words = "must be a time like 2026-11-28 12:00:00, of UTC"
        raise refuse("since", words, code="not_a_time") from error
    return tasks.alias(moved=Coalesce("state_changed_at", "created_at")).filter(moved__gte=moment)


def one(call: Call) -> dict[str, Any]:
    """task/get_detailed_info."""
    return telling.detailed(own_task(call))


def parent(call: Call) -> dict[str, Any] | None:
    """The parent of a task; null where it has none, or none of the caller's."""
    above = Task.objects.select_related(*RELATED).filter(children=own_task(call)).first()
    return telling.detailed(above) if above and may(person(call), above) else None


def status(call: Call) -> str:
    """One word; of anybody's task, as in our own lists."""
    person(call)
    return telling.status_of(task_of(call))


def details(call: Call) -> dict[str, Any]:
    """What it reads and makes, its jobs, and with flags its parameters and its state."""
    task = own_task(call)
    uses = TaskDataset.objects.filter(task=task).order_by("role", "place")
    rows = list(uses.values_list("role", "dataset__name"))
    told: dict[str, Any] = {
        "inDS": ",".join(name for role, name in rows if role in ("input", "secondary")),
        "outDS": ",".join(name for role, name in rows if role in ("output", "merged")),
        "statistics": telling.detailed(task)["statistics"],
        "PandaID": job_ids_of(task),
        "mergeStatus": None,
        "mergePandaID": [],
        "errorDialog": task.state_reason or None,
    }
    if yes(call, "include_parameters"):
        kept = getattr(task, "client", None)
        told["taskParams"] = kept.parameters if kept else {}
    if yes(call, "include_status"):
        told |= {"status": telling.status_of(task), "userName": task.owner.get_username()}
    return told


JOBS_MOST: Final = 20_000


def job_ids_of(task: Task) -> list[int]:
    """Its jobs, newest first; so many at most."""
    jobs = AnyJob.objects.filter(task=task).order_by("-panda_id")
    return list(jobs.values_list("panda_id", flat=True)[:JOBS_MOST])


def job_ids(call: Call) -> list[int]:
    """task/get_job_ids."""
    return job_ids_of(own_task(call))
