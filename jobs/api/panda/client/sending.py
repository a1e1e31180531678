"""task/submit: a new task, or an old one of the same name tried again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from jobs.api.panda.answers import Refused, Told
from jobs.api.panda.call import Call
from jobs.api.panda.client import changing
from jobs.api.panda.client.asking import own_task, person
from jobs.api.panda.fields import INT64, Said, refuse
from jobs.api.panda.prun.request import request_of
from jobs.api.resolve import check_rights
from jobs.models import ClientTask, Task
from jobs.tasks_engine import deeds, services
from jobs.tasks_engine.spec import spec_from
from jobs.tasks_engine.states import TaskState
from pandasite.base.clock import database_now
from pandasite.base.json import loads_strict

SAME_NAME: Final = 2
TEXT_MAX: Final = 2 * 1024 * 1024  # bytes
# A task in one of these is tried again where the same name is sent once more.
AGAIN: Final = (TaskState.FINISHED, TaskState.FAILED, TaskState.EXHAUSTED)


def submit(call: Call) -> Told:
    """The number stands in the message, where prun looks for it, and in `data`."""
    user = person(call)
    given = parameters_of(call)
    request = request_of(given)
    before = Task.objects.filter(owner=user, name=request["name"]).first()
    if before is not None:
        return _again(before, given, user)
    if parent := Said(call.values).whole("parent_tid", low=1, high=INT64):
        request["parent"] = str(parent)
    spec = spec_from(request, owner=user.get_username())
    check_rights([spec.as_json()], user, place="", priority="priority")
    with transaction.atomic():
        task = services.register(spec, actor=user.get_username(), now=database_now())
        ClientTask.objects.get_or_create(task=task, defaults={"parameters": given})
    return Told(message=f"succeeded. new jediTaskID={task.pk}", data=task.pk)


def parameters_of(call: Call) -> dict[str, Any]:
    """An object, or JSON text of one."""
    value = call.values.get("task_parameters")
    if isinstance(value, str):
        return loads_strict(value.encode(errors="replace"), max_bytes=TEXT_MAX)
    if not isinstance(value, dict):
        raise refuse("task_parameters", "must be a JSON object", code="not_an_object")
    return value


def _again(task: Task, given: Mapping[str, Any], user: User) -> Told:
    """As PanDA takes a task of the same name: what failed is tried again, with what may change."""
    if task.state not in AGAIN:
        words = f"jediTaskID={task.pk} of the name {task.name} is {task.state or 'a group of jobs'}"
        raise Refused(f"{words}: choose another name (--outDS)", data=SAME_NAME)
    changes = changing.changes_of(given, task, only_known=False)
    reason = "submitted again under the same name"
    now = database_now()
    deeds.do("retry", task, user=user, reason=reason, now=now, changes=changes or None)
    words = f"reactivation accepted. jediTaskID={task.pk} (currently in {task.state} state)"
    return Told(message=f"{words} will be re-executed with old and/or new input", data=task.pk)


def parameters(call: Call) -> dict[str, Any]:
    """task/get_task_parameters: what was sent."""
    kept = ClientTask.objects.filter(task=own_task(call)).first()
    return dict(kept.parameters) if kept else {}
