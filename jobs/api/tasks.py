"""Addresses of tasks: register, list, look at, and steer."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.answers import documented
from jobs.api.resolve import check_priority, check_rights
from jobs.api.task_answers import TASK_FILTERS, RegisteredAnswer, TaskAnswer, TasksAnswer
from jobs.api.task_listing import listed, parse_filter, task_json, the_task
from jobs.api.views import PersonView, person_of
from jobs.priority import HIGHEST, LOWEST
from jobs.tasks_engine import deeds, services
from jobs.tasks_engine.body import ChangesBody, TaskBody
from jobs.tasks_engine.spec import TaskSpec, specs_from
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput, field_error
from pandasite.base.snapshot import one_snapshot

TASKS_MAX = 100  # of a call
_ACTED: dict[str, Any] = {"answers": {200: TaskAnswer}, "problems": (400, 404, 409, 411, 413, 415)}


class TasksBody(strict.StrictSerializer):
    """Up to 100 tasks: all or none. They may read what others of them make."""

    tasks = TaskBody(many=True, allow_empty=False, max_length=TASKS_MAX)


class TaskReasonBody(strict.StrictSerializer):
    """Why."""

    reason = strict.StrictCharField(max_length=deeds.REASON_MAX)


class TaskPriorityBody(TaskReasonBody):
    """The new priority, and why."""

    priority = strict.StrictIntegerField(min_value=LOWEST, max_value=HIGHEST)


class RetryBody(TaskReasonBody):
    """Why, and what of the request is to be different from now on."""

    changes = ChangesBody(required=False)


class TasksView(PersonView):
    """Registration and list."""

    max_body_bytes = 16 * 1024 * 1024

    @documented(
        operation_id="tasks_create",
        request=TasksBody,
        answers={201: RegisteredAnswer, 200: RegisteredAnswer},
        problems=(400, 409, 411, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """Register 1 to 100 tasks, all or none; 201, or 200 when all of them were there before.

        A name of its owner's stands for one request: the same again is the same task, another one
        is refused.
        """
        said = strict.validated(TasksBody, request.data)["tasks"]
        user = person_of(request)
        check_rights(said, user, place="tasks[{}].", priority="priority")
        owner = user.get_username()
        specs = _all_good(specs_from([(one, owner) for one in said]))
        now = database_now()
        tasks = services.register_all(specs, actor=owner, now=now)
        fresh = any(task.created_at == now for task in tasks)
        shown = [{"task_id": t.pk, "name": t.name, "state": t.state} for t in tasks]
        return Response({"tasks": shown}, status=201 if fresh else 200)

    @documented(
        operation_id="tasks_list",
        answers={200: TasksAnswer},
        problems=(400, 422),
        parameters=list(TASK_FILTERS),
    )
    def get(self, request: Request) -> Response:
        """Tasks, newest first: filters state, owner, name (its beginning), campaign."""
        wanted = parse_filter(request.query_params)
        with one_snapshot():
            return Response(listed(wanted, now=database_now()))


def _all_good(found: list[TaskSpec | BadInput]) -> list[TaskSpec]:
    """The specs; BadInput with every fault of all, each with its place."""
    faults = [
        field_error(
            f"tasks[{i}].{fault['field']}",
            f"tasks[{i}].{fault['message']}",
            code=fault["code"],
            **fault.get("limit", {}),
        )
        for i, one in enumerate(found)
        if isinstance(one, BadInput)
        for fault in one.fields
    ]
    if faults:
        raise BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults)
    return [one for one in found if isinstance(one, TaskSpec)]


class TaskView(PersonView):
    """One task."""

    @documented(operation_id="tasks_retrieve", answers={200: TaskAnswer}, problems=(400, 404))
    def get(self, request: Request, task_id: int) -> Response:
        """The task with its progress, its history and what it waits for; 404: there is none."""
        with one_snapshot():
            return Response(task_json(the_task(task_id), now=database_now()))


class _ActView(PersonView):
    """Something that is done to a task by its owner, or with the right to all."""

    deed: str
    body: type[strict.StrictSerializer] = TaskReasonBody

    def act(self, request: Request, task_id: int) -> Response:
        """Do it; the task as it is afterwards."""
        said = dict(strict.validated(self.body, request.data))
        task, user = the_task(task_id), person_of(request)
        deeds.must_be_allowed(user, task)
        self.check(user, said)
        now = database_now()
        after = deeds.do(self.deed, task, user=user, reason=said.pop("reason"), now=now, **said)
        return Response(task_json(after, now=now))

    def check(self, user: Any, said: dict[str, Any]) -> None:
        """What else it takes."""


class KillTaskView(_ActView):
    """End a task and its jobs."""

    deed = "kill"

    @documented(operation_id="tasks_kill", request=TaskReasonBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Kill it: it is `aborting` until its last job has ended, then `aborted`."""
        return self.act(request, task_id)


class FinishTaskView(_ActView):
    """End a task with what it has."""

    deed = "finish"

    @documented(operation_id="tasks_finish", request=TaskReasonBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Make no more jobs, cancel those that no pilot has, and finish with what is done."""
        return self.act(request, task_id)


class RetryTaskView(_ActView):
    """Try again what failed."""

    deed = "retry"
    body = RetryBody

    @documented(operation_id="tasks_retry", request=RetryBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Give what failed or was left out new jobs, with other parameters if need be."""
        return self.act(request, task_id)


class PauseTaskView(_ActView):
    """Hold a task."""

    deed = "pause"

    @documented(operation_id="tasks_pause", request=TaskReasonBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Make no more jobs until it is resumed; those that there are go on."""
        return self.act(request, task_id)


class ResumeTaskView(_ActView):
    """Let a task go on."""

    deed = "resume"

    @documented(operation_id="tasks_resume", request=TaskReasonBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Go on where it was paused."""
        return self.act(request, task_id)


class PriorityTaskView(_ActView):
    """Change the priority of a task."""

    deed = "priority"
    body = TaskPriorityBody

    @documented(operation_id="tasks_priority", request=TaskPriorityBody, **_ACTED)
    def post(self, request: Request, task_id: int) -> Response:
        """Another priority for the task, and for its jobs that no pilot has."""
        return self.act(request, task_id)

    def check(self, user: Any, said: dict[str, Any]) -> None:
        """Above a limit it takes a production role."""
        if not user.has_perm("jobs.submit_production"):
            check_priority("priority", said["priority"])
