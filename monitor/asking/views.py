"""The forms for tasks: filled in, looked at before, and sent."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from brokerage.models import VO, Cloud, Site
from jobs.models import Tag, Task, Transformation
from jobs.tasks_engine import services
from jobs.tasks_engine.spec import TaskSpec
from monitor import lists
from monitor.asking.fields import FIELDS
from monitor.asking.kinds import KINDS, Kind
from monitor.asking.preview import Preview, preview
from monitor.asking.taskform import TaskForm, start_of
from monitor.forms import deed
from monitor.pages import page, respond, wants_json
from monitor.params import Params
from pandasite.base import audit
from pandasite.base.clock import database_now
from pandasite.base.errors import Conflict
from pandasite.base.snapshot import one_snapshot

KNOWN = ("kind", "format", *FIELDS)
SENT = ("kind", "act", "reason", "csrfmiddlewaretoken", *FIELDS)
ACTS = ("preview", "submit")
PROPOSED: dict[str, Any] = {
    "vo": VO, "cloud": Cloud, "site": Site, "transformation": Transformation, "tag": Tag,
}  # fmt: skip


@page
def task_request(request: HttpRequest) -> HttpResponseBase:
    """A form for a task, with what the address says already."""
    params = Params(request.GET, known=KNOWN)
    kind = KINDS[params.choice("kind", KINDS, default="generic")]
    params.choice("format", ("html", "json"))
    given = {name: text for name, text in params.values.items() if name in kind.fields}
    start = start_of(kind, given, user=request.user)
    now = database_now()
    form = TaskForm(kind, user=request.user, initial=start)
    if wants_json(request):
        fields = [
            {"name": name, "title": f.label, "help": f.help_text, "value": start.get(name, "")}
            for name, f in form.fields.items()
        ]
        told = {"kind": kind.name, "title": kind.title, "fields": fields}
        return respond(request, "", data=told, context={}, now=now)
    return _page(request, form, now=now)


@deed
def task_send(request: HttpRequest) -> HttpResponseBase:
    """What was filled in: looked at (`act=preview`), or sent (`act=submit`)."""
    params = Params(request.POST, known=SENT)
    kind = KINDS[params.choice("kind", KINDS, default="generic")]
    act = params.choice("act", ACTS, default="preview")
    now = database_now()
    form = TaskForm(kind, request.POST, user=request.user)
    if not form.is_valid() or form.spec is None:
        return _page(request, form, now=now, status=400)
    if act == "submit":
        try:
            task = _register(request, form.spec, form.cleaned_data["reason"], now=now)
        except Conflict as error:
            form.add_error("name" if error.code == "name_taken" else None, error.message)
            return _page(request, form, now=now, status=409)
        return redirect("monitor:task", task_id=task.pk)
    with one_snapshot():
        return _page(request, form, now=now, seen=preview(form.spec, now=now))


def _register(request: HttpRequest, spec: TaskSpec, reason: str, *, now: dt.datetime) -> Task:
    """The task, with an audit line; the same request again is the same task."""
    user: Any = request.user
    with transaction.atomic():
        task = services.register(spec, actor=user.get_username(), now=now)
        if task.created_at == now:
            audit.record(
                actor=user,
                action="task_request",
                subject=f"task {task.pk}",
                reason=reason,
                now=now,
                facts={"name": spec.name, "tag": spec.tag, "transformation": spec.transformation},
            )
    return task


def _page(
    request: HttpRequest,
    form: TaskForm,
    *,
    now: dt.datetime,
    seen: Preview | None = None,
    status: int = 200,
) -> HttpResponse:
    kind: Kind = form.kind
    known = {name: lists.names(model) for name, model in PROPOSED.items() if name in form.fields}
    for name in known:
        form.fields[name].widget.attrs["list"] = f"known-{name}"
    context = {
        "form": form, "kind": kind, "kinds": KINDS.values(), "seen": seen, "now": now,
        "known": known,
    }  # fmt: skip
    return render(request, "monitor/asking/task.html", context, status=status)
