"""Deeds to a task: asked for on a page of its own, done by POST with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.api.resolve import check_priority
from jobs.api.task_listing import the_task
from jobs.models import Task
from jobs.priority import HIGHEST, LOWEST, checked_priority
from jobs.tasks_engine import deeds
from monitor.forms import deed, for_people
from monitor.jobacts import LONGEST_REASON, checked_reason
from monitor.params import Params
from monitor.production.engined import ACTS
from monitor.production.retryform import RetryForm, foreseen
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput
from pandasite.base.params import refuse

EXPLAIN = {
    "kill": "Its jobs that wait are cancelled, those with a pilot end at its next call. It is"
    " aborting until the last one has ended. This cannot be undone.",
    "finish": "No more jobs are made. Jobs that no pilot has are cancelled, the others run to their"
    " end; what is done by then is what the task has made.",
    "retry": "Each piece of work that failed, or was left out, gets a new job, with all its"
    " attempts.",
    "pause": "No more jobs are made until somebody resumes it. Jobs that there are go on.",
    "resume": "It goes on where it was paused.",
    "priority": "For the task, and for those of its jobs that no pilot has yet.",
}


@require_safe
@for_people
def ask(request: HttpRequest, task_id: int) -> HttpResponseBase:
    """What a deed would do, and the reason for it."""
    name = _chosen(Params(request.GET, known=("action",)).text("action"))
    task = the_task(task_id)
    deeds.must_be_allowed(_person(request), task)
    return _page(request, task, name, form=RetryForm(task) if name == "retry" else None)


def _page(
    request: HttpRequest, task: Task, name: str, *, form: RetryForm | None, status: int = 200
) -> HttpResponseBase:
    context = {
        "task": task,
        "action": name,
        "title": ACTS[name][0],
        "explain": EXPLAIN[name],
        "form": form,
        "foreseen": foreseen(task) if form else None,
        "reason": request.POST.get("reason", ""),
        "lowest": LOWEST,
        "highest": HIGHEST,
        "longest": LONGEST_REASON,
    }
    return render(request, "monitor/production/task_act.html", context, status=status)


@deed
def act(request: HttpRequest, task_id: int) -> HttpResponseBase:
    """Do it, and go back to the task, whose history says so."""
    name = _chosen(request.POST.get("action", ""))
    task, user = the_task(task_id), _person(request)
    deeds.must_be_allowed(user, task)
    more: dict[str, Any] = {}
    if name == "priority":
        more["priority"] = checked_priority(request.POST.get("priority", ""))
        if not user.has_perm("jobs.submit_production"):
            check_priority("priority", more["priority"])
    reason = checked_reason(request.POST.get("reason", ""))
    if name == "retry":
        return _retry(request, task, reason)
    deeds.do(name, task, user=user, reason=reason, now=database_now(), **more)
    return redirect(reverse("monitor:task", args=[task_id]))


def _retry(request: HttpRequest, task: Task, reason: str) -> HttpResponseBase:
    """With what was changed on the page; or the page again, with what is wrong beside its field."""
    form = RetryForm(task, request.POST)
    if form.is_valid():
        more = {"changes": form.changes} if form.changes else {}
        try:
            user, now = _person(request), database_now()
            deeds.do("retry", task, user=user, reason=reason, now=now, **more)
            return redirect(reverse("monitor:task", args=[task.pk]))
        except BadInput as error:
            form.say(error)
    return _page(request, task, "retry", form=form, status=400)


def _chosen(name: str) -> str:
    if name not in ACTS:
        raise refuse("action", name, f"one of {', '.join(ACTS)}", values=[*ACTS])
    return name


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # for_people has let nobody else in
    return request.user
