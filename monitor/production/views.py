"""The list of tasks, and the task browser."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from monitor import lists
from monitor.lists import Field, ListPage
from monitor.pages import page
from monitor.params import Params
from monitor.production import taskgroups, tasklist
from monitor.production.taskgroups import BY, GroupSheet
from monitor.production.tasklist import FILTERS
from monitor.production.tasksheet import SHOWN, TaskSheet
from pandasite.base.clock import database_now


@page
def tasks(request: HttpRequest) -> HttpResponseBase:
    """All tasks within a window, with their progress."""
    params = Params(request.GET, known=lists.known(*FILTERS))
    now = database_now()
    found = tasklist.read(params, now=now)
    shown = ListPage(
        name="tasks",
        title="Tasks",
        intro="Tasks that were made, or had jobs, within the window.",
        shown=SHOWN,
        fields=tasklist.fields(params),
        ages=_ages(),
        notes=_notes(params),
        links=[("Task browser", reverse("monitor:task_browser"))],
    )
    sheet = TaskSheet(found.rows, known=found.known)
    return lists.respond(request, shown, sheet, params=params, now=now)


@page
def browser(request: HttpRequest) -> HttpResponseBase:
    """Tasks grouped by campaign, request, working group, processing type, user, cloud or VO."""
    params = Params(request.GET, known=lists.known(*FILTERS, "by"))
    by = params.choice("by", BY, default="campaign")
    now = database_now()
    found = tasklist.read(params, now=now)
    given = {name: params.values[name] for name in FILTERS if name in params.values}
    grouping = Field(
        name="by",
        title="Group by",
        value=by,
        options=[(word, title) for word, (title, _of) in BY.items()],
        any="",
    )
    shown = ListPage(
        name="task_browser",
        title="Task browser",
        intro=f"Tasks by {BY[by][0]}.",
        fields=[grouping, *tasklist.fields(params)],
        ages=_ages(),
        notes=_notes(params),
        links=[("All of these tasks", reverse("monitor:tasks"))],
    )
    sheet = GroupSheet(taskgroups.grouped(found.rows, by=by, given=given))
    return lists.respond(request, shown, sheet, params=params, now=now)


def _notes(params: Params) -> list[str]:
    if request := params.text("request"):
        return [f"All tasks of request {request}, whenever they were made."]
    return []


def _ages() -> list[lists.Age]:
    return [
        lists.sweep_age("live jobs counted", "jobs.tally_live"),
        lists.sweep_age("ended jobs added up", "jobs.sum_usage"),
    ]
