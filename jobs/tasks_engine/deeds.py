"""What a person does to a task, with the right to it and an audit line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import AbstractUser, User
from django.db import transaction

from jobs.models import Task
from jobs.tasks_engine import services
from pandasite.base import audit
from pandasite.base.errors import BadInput, NotAllowed, NotThere, field_error

# The verbs of services by the word for them; each takes a reason, and some more.
DEEDS: Mapping[str, Callable[..., Any]] = {
    "kill": services.kill,
    "finish": services.finish,
    "retry": services.retry_failed,
    "pause": services.pause,
    "resume": services.resume,
    "priority": services.set_priority,
}
REASON_MAX = 255


def may(user: Any, task: Task) -> bool:
    """Whether a person may do something to a task: its own, or with the right to all."""
    return bool(task.owner_id == user.pk or user.has_perm("jobs.manage_any_task"))


def must_be_allowed(user: AbstractUser, task: Task) -> None:
    """NotAllowed for members of its working group, for strangers there is no such task."""
    if may(user, task):
        return
    if task.working_group and user.groups.filter(name=task.working_group).exists():
        owner = task.owner.get_username()
        raise NotAllowed(f"task {task.pk} belongs to {owner}", code="not_owner")
    raise NotThere(f"there is no task {task.pk}")


def do(name: str, task: Task, *, user: User, reason: str, now: dt.datetime, **more: Any) -> Task:
    """Do it, with an audit line in the same transaction; the task as it is afterwards.

    Conflict and IllegalMove when its state has no such way.
    """
    if not reason.strip() or len(reason) > REASON_MAX:
        words = f"reason must be a text of 1 to {REASON_MAX} characters"
        fault = field_error("reason", words, code="reason_required", min=1, max=REASON_MAX)
        raise BadInput(words, code="reason_required", fields=[fault])
    with transaction.atomic():
        DEEDS[name](task, reason=reason, actor=user.get_username(), now=now, **more)
        after = Task.objects.select_related("owner", "vo", "cloud", "site").get(pk=task.pk)
        audit.record(
            actor=user,
            action=f"task_{name}",
            subject=f"task {task.pk}",
            reason=reason,
            now=now,
            facts={"before": task.state, "after": after.state, **more},
        )
    return after
