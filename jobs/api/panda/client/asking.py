"""Who asks, about which task or job, and how a refusal is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, NoReturn

from django.contrib.auth.models import User
from rest_framework.exceptions import ValidationError

from jobs.api.panda.answers import Refused
from jobs.api.panda.call import Call, Handler
from jobs.api.panda.fields import INT64, Said
from jobs.api.task_listing import RELATED
from jobs.models import AnyJob, Task
from jobs.tasks_engine.deeds import may
from pandasite.base.errors import (
    BadInput,
    Conflict,
    IllegalMove,
    NotAllowed,
    NotThere,
    TooMuch,
    Unprocessable,
)
from pandasite.base.problems import problem_of

log = logging.getLogger(__name__)
OF_THE_USER: Final = (
    BadInput, Conflict, IllegalMove, NotAllowed, NotThere, TooMuch, Unprocessable, ValidationError,
)  # fmt: skip
# What PanDA's task commands put into `data`.
REGISTERED, SERVER_ERROR, NO_TASK, NEW_PARAMETERS, WRONG_STATE = 0, 1, 2, 3, 4


def told_with_200(work: Callable[[Call], Any]) -> Handler:
    """A refusal becomes an answer, with PanDA's code for it."""

    @wraps(work)
    def handler(call: Call) -> Any:
        try:
            return work(call)
        except OF_THE_USER as error:
            refuse(error)

    return handler


def refuse(error: Exception) -> NoReturn:
    """Tell it in the envelope."""
    problem = problem_of(error)
    log.info("client_refused", extra={"problem": problem.code, "reason": problem.message})
    code = NO_TASK if isinstance(error, NotThere) else None
    if isinstance(error, Conflict | IllegalMove):
        code = WRONG_STATE
    raise Refused(problem.message, data=code) from error


def person(call: Call) -> User:
    """Tasks are of people."""
    if not isinstance(call.caller, User):
        raise NotAllowed("tasks are sent and steered by people, not by pilots", code="not_a_person")
    return call.caller


def changing(work: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """For what changes something: the caller has to be one who may."""

    @wraps(work)
    def handler(call: Call) -> Any:
        person(call)
        return work(call)

    return handler


def task_of(call: Call) -> Task:
    """The task that is named, whosever it is."""
    task_id = Said(call.values).whole("task_id", low=1, high=INT64, needed=True)
    assert task_id is not None  # it is needed
    task = Task.objects.select_related(*RELATED).filter(pk=task_id).first()
    if task is None:
        raise no_task(task_id)
    return task


def own_task(call: Call) -> Task:
    """The task that is named, if the caller may steer it; others are told as if there were none."""
    task = task_of(call)
    if not may(person(call), task):
        raise no_task(task.pk)
    return task


def no_task(task_id: int) -> NotThere:
    """The same words for what is not there and for what is not the caller's."""
    return NotThere(f"there is no task {task_id} of yours")


def own_job(call: Call, panda_id: int) -> AnyJob:
    """The job, if the caller may end it; others are told as if there were none."""
    user = person(call)
    job = AnyJob.objects.filter(pk=panda_id).first()
    if job is None or not (job.owner_id == user.pk or user.has_perm("jobs.kill_any_job")):
        raise NotThere(f"there is no job {panda_id} of yours")
    return job


def yes(call: Call, name: str) -> bool:
    """A flag, as JSON or as the text of one."""
    value = call.values.get(name)
    if value in (None, "", "None"):
        return False
    if value in (True, 1, "1", "True", "true"):
        return True
    if value in (False, 0, "0", "False", "false"):
        return False
    raise Said(call.values).refuse(name, "must be true or false", code="not_a_boolean")
