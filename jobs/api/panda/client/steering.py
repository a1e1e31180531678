"""What a person does to a task of theirs, or to its jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jobs import debug
from jobs import services as jobs
from jobs.api.panda.answers import Refused, Told
from jobs.api.panda.call import Call
from jobs.api.panda.client import changing
from jobs.api.panda.client.asking import (
    NEW_PARAMETERS,
    OF_THE_USER,
    REGISTERED,
    own_job,
    own_task,
    person,
    yes,
)
from jobs.api.panda.fields import Said
from jobs.api.resolve import check_priority
from jobs.priority import HIGHEST, LOWEST
from jobs.states import FINAL
from jobs.tasks_engine import deeds
from pandasite.base.clock import database_now
from pandasite.base.errors import Conflict
from pandasite.base.problems import problem_of

WHY: Final = "asked for with PanDA's client"
JOBS_MAX: Final = 1000


def deed(name: str) -> Callable[[Call], Told]:
    """One that takes nothing but the task."""

    def handler(call: Call) -> Told:
        task = own_task(call)
        deeds.do(name, task, user=person(call), reason=WHY, now=database_now())
        return Told(message=f"{name} of task {task.pk} is accepted", data=REGISTERED)

    return handler


def retry(call: Call) -> Told:
    """`data` is 3 where there are new parameters: pbook takes anything else for a failure."""
    task = own_task(call)
    given = call.values.get("new_parameters")
    if given is not None and not isinstance(given, dict):
        raise Said(call.values).refuse("new_parameters", "must be an object", code="not_an_object")
    changes = changing.changes_of(given, task) if given else {}
    now = database_now()
    deeds.do("retry", task, user=person(call), reason=WHY, now=now, changes=changes or None)
    message = f"retry of task {task.pk} is accepted"
    return Told(message=message, data=NEW_PARAMETERS if given else REGISTERED)


def priority(call: Call) -> Told:
    """Above a limit it takes a production role."""
    task, user = own_task(call), person(call)
    said = Said(call.values).whole("priority", low=LOWEST, high=HIGHEST, needed=True)
    assert said is not None  # it is needed
    if not user.has_perm("jobs.submit_production"):
        check_priority("priority", said)
    deeds.do("priority", task, user=user, reason=WHY, now=database_now(), priority=said)
    return Told(message=f"priority of task {task.pk} is {said}", data=REGISTERED)


def kill_jobs(call: Call) -> Told:
    """Each job on its own: whether it is ended, in the order asked; the message has the others."""
    wanted = Said(call.values).numbers("job_ids", most=JOBS_MAX)
    answers, words = [], []
    for panda_id in wanted:
        try:
            own_job(call, panda_id)
            by = person(call).get_username()
            jobs.kill(panda_id, actor=by, reason=WHY, now=database_now())
            answers.append(True)
        except OF_THE_USER as error:
            answers.append(False)
            words.append(problem_of(error).message)
    if not any(answers):
        raise Refused("; ".join(words[:10]), data=answers)
    return Told(message="; ".join(words[:10]), data=answers)


def debug_mode(call: Call) -> Told:
    """The pilot of a job is told at its next heartbeat; our own send the tail of its output always.

    Conflict when the job has ended.
    """
    (panda_id,) = Said(call.values).numbers("job_id", most=1)
    on = yes(call, "mode")
    job = own_job(call, panda_id)
    if job.state in FINAL:
        raise Conflict(f"job {panda_id} is {job.state}: nothing of it runs any more")
    debug.set_mode(panda_id, on=on, user=person(call), reason=WHY, now=database_now())
    return Told(message=f"debug mode of job {panda_id} is {'on' if on else 'off'}", data=None)
