"""Requests with parameters: the tasks engine makes their jobs, and tells how far it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User

from jobs.models import BambooTask, Task
from jobs.proddb.door import ProdState, Request
from jobs.tasks_engine import services
from jobs.tasks_engine.spec import specs_from
from jobs.tasks_engine.states import TaskState
from pandasite.base.errors import BadInput, Conflict, IllegalMove

ACTOR = "bamboo"
T, P = TaskState, ProdState
# What prodDB says of a task of the engine. One that is exhausted waits for a person, and says so.
SAID: Mapping[TaskState, ProdState] = {
    T.REGISTERED: P.ASSIGNING,
    T.DEFINED: P.ASSIGNING,
    T.ASSIGNING: P.ASSIGNING,
    T.READY: P.SUBMITTED,
    T.PENDING: P.SUBMITTED,
    T.SCOUTING: P.RUNNING,
    T.RUNNING: P.RUNNING,
    T.PAUSED: P.RUNNING,
    T.FINISHING: P.RUNNING,
    T.EXHAUSTED: P.RUNNING,
    T.DONE: P.DONE,
    T.FINISHED: P.FINISHED,
    T.FAILED: P.FAILED,
    T.ABORTING: P.RUNNING,
    T.ABORTED: P.ABORTED,
    T.BROKEN: P.REFUSED,
}


def register(
    requests: Sequence[Request],
    *,
    beside: Mapping[int, int],
    owner: Callable[[str], User],
    now: dt.datetime,
) -> tuple[dict[int, int], dict[int, str]]:
    """Tasks of these requests: taskIDs by request, and why others have none.

    `beside`: taskIDs of requests that are taken with them, and are none of the engine's. A task is
    known by its owner and name: to register it again is to find it.
    """
    if not requests:
        return {}, {}
    said = _with_parents(requests, beside)
    found = specs_from([(words, request.owner) for words, request in said])
    reasons, specs, numbers = {}, [], []
    for spec, (_words, request) in zip(found, said, strict=True):
        if isinstance(spec, BadInput):
            reasons[request.request_id] = in_words(spec)
        else:
            specs.append(spec)
            numbers.append(request.request_id)
    for name in {spec.owner for spec in specs}:
        owner(name)
    tasks = {}
    made = services.register_many(specs, actor=ACTOR, now=now)
    for number, task in zip(numbers, made, strict=True):
        if isinstance(task, Conflict):
            reasons[number] = task.message
        else:
            tasks[number] = task.pk
    return tasks, reasons


def in_words(error: BadInput) -> str:
    """All of its faults in one line."""
    told = [str(fault["message"]) for fault in error.fields] or [error.message]
    return "; ".join(told)[:2000]


def _with_parents(
    requests: Sequence[Request], beside: Mapping[int, int]
) -> list[tuple[dict[str, Any], Request]]:
    """What each says; a parent by its name when it comes along, else by its number."""
    along = {request.request_id: request for request in requests}
    above = {request.parent_id for request in requests if request.parent_id} - along.keys()
    there = BambooTask.objects.filter(pk__in=above)
    tasks = {**dict(there.values_list("pk", "task_id")), **beside}
    said = []
    for request in requests:
        parent = ""
        if request.parent_id in along:
            parent = along[request.parent_id].name
        elif request.parent_id in tasks:
            parent = str(tasks[request.parent_id])
        said.append((_said(request, parent), request))
    return said


def _said(request: Request, parent: str) -> dict[str, Any]:
    given = request.parameters if isinstance(request.parameters, dict) else {"": request.parameters}
    inputs = {"inputs": [request.input_dataset]} if request.input_dataset else {}
    return {
        "prod_source_label": "managed",
        **inputs,
        **given,
        "name": request.name,
        "vo": request.vo,
        "working_group": request.working_group,
        "processing_type": request.processing_type,
        "campaign": request.campaign,
        "priority": request.priority,
        "cloud": request.cloud,
        "request_id": request.request_id,
        "parent": parent,
    }


def kill(task_id: int, *, reason: str, now: dt.datetime) -> bool:
    """Have the engine end a task; False when it is ending or has ended."""
    task = Task.objects.get(pk=task_id)
    try:
        services.kill(task, reason=reason, actor=ACTOR, now=now)
    except IllegalMove:
        return False
    return True
