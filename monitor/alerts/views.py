"""My alerts: what they told, what there are, and a form for a new one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs.models import Task
from monitor import columns, lists, sheets
from monitor.alerts import mail
from monitor.alerts.models import Alert, AlertNews
from monitor.forms import for_people
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.clock import database_now
from pandasite.base.errors import NotThere

Rule = Alert.Rule
MOST = 100  # alerts of a person
NEWEST = 500  # news that are shown
TOKEN = "csrfmiddlewaretoken"
FIELDS = ("task_id", "rule", "level", "mail")
LEVELS = {Rule.FAILS: (1, 99), Rule.STUCK: (1, 720)}


class NewsSheet(Sheet):
    """What the alerts told, newest first."""

    at = columns.time("Told (UTC)", "when it was noticed")
    task_id = columns.link(
        "Task", "its page", url=lambda record: reverse("monitor:task", args=[record.task_id])
    )
    text = column("What", "as of that time", look="wrap")
    rule = column("Alert", "that asked for it", accessor="alert__words")
    seen_at = columns.time("Seen (UTC)", "when you marked it; empty: new")
    mailed_at = columns.time("Mailed (UTC)", "empty: not by mail, or not yet")

    class Meta(Sheet.Meta):
        empty_text = "Nothing yet. What the alerts below find is told here."


class AlertForm(forms.Form):
    """A new alert."""

    task_id = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        label="Task",
        help_text="its number; empty: every task of yours",
    )
    rule = forms.ChoiceField(label="Tell me when", choices=Rule.choices)
    level = forms.IntegerField(
        required=False,
        label="More than",
        help_text="fails: percent of its jobs, 1 to 99; does not get on: hours, 1 to 720",
    )
    mail = forms.BooleanField(required=False, label="By mail too")

    def __init__(self, data: Any = None, *, user: Any, task_id: int | None = None) -> None:
        super().__init__(data, initial={"task_id": task_id, "rule": Rule.ENDED})
        if mail.offered() and user.email:
            self.fields["mail"].help_text = f"to {user.email}"
        else:
            del self.fields["mail"]

    def clean_task_id(self) -> int:
        task_id: int = self.cleaned_data["task_id"] or 0
        if task_id and not Task.objects.filter(pk=task_id).exists():
            raise forms.ValidationError(f"there is no task {task_id}")
        return task_id

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        level = said.get("level") or 0
        if (limits := LEVELS.get(said.get("rule", ""))) and "level" not in self.errors:
            low, high = limits
            if not low <= level <= high:
                self.add_error("level", f"must be {low} to {high}, not {said.get('level')}")
        return {**said, "level": level if limits else 0}


@require_safe
@for_people
def alerts(request: HttpRequest) -> HttpResponseBase:
    """What they told, and the forms."""
    params = Params(request.GET, known=(*sheets.PARAMS, "task"))
    task_id = params.number("task", low=1, high=2**63 - 1)
    return _page(request, AlertForm(user=request.user, task_id=task_id), params)


def _page(
    request: HttpRequest, form: AlertForm, params: Params, *, status: int = 200
) -> HttpResponseBase:
    mine = Alert.objects.filter(owner=request.user.pk).order_by("task_id", "rule")
    news = AlertNews.objects.filter(alert__owner=request.user.pk).select_related("alert")
    told = list(news.order_by("-at", "-pk")[:NEWEST])
    age = lists.sweep_age("looked at", "monitor.alerts")
    answer = sheets.respond(
        request,
        "monitor/alerts/alerts.html",
        NewsSheet(told),
        params=params,
        context={
            "form": form,
            "alerts": mine,
            "age": age,
            "new": sum(one.seen_at is None for one in told),
        },
        now=database_now(),
        facts={"ages": {age.title: age.at}, "alerts": [_facts(one) for one in mine]},
        name="alerts",
    )
    if status != 200:
        answer.status_code = status
    return answer


def _facts(one: Alert) -> dict[str, Any]:
    names = ("pk", "task_id", "rule", "level", "mail", "created_at")
    return {name: getattr(one, name) for name in names}


def _made(request: HttpRequest) -> HttpResponseBase:
    Params(request.POST, known=(*FIELDS, TOKEN))
    form = AlertForm(request.POST, user=request.user)
    if form.is_valid() and _kept(form, request.user):
        return redirect("monitor:alerts")
    return _page(request, form, Params(request.GET, known=sheets.PARAMS), status=400)


def _kept(form: AlertForm, user: Any) -> bool:
    """Whether it could be; else the form says why."""
    if Alert.objects.filter(owner=user).count() >= MOST:
        form.add_error(None, f"one person has at most {MOST} alerts: take one away first")
        return False
    said = {"mail": False, **form.cleaned_data}
    try:
        with transaction.atomic():
            Alert.objects.create(owner=user, created_at=database_now(), **said)
    except IntegrityError:
        form.add_error(None, "you have this alert already: take it away to change it")
        return False
    return True


def _removed(request: HttpRequest) -> HttpResponseBase:
    params = Params(request.POST, known=("alert", TOKEN))
    pk = params.number("alert", low=1, high=2**63 - 1)
    gone, _by_model = Alert.objects.filter(owner=request.user.pk, pk=pk or 0).delete()
    if not gone:
        raise NotThere("you have no such alert")
    return redirect("monitor:alerts")


def _seen(request: HttpRequest) -> HttpResponseBase:
    Params(request.POST, known=(TOKEN,))
    news = AlertNews.objects.filter(alert__owner=request.user.pk, seen_at=None)
    news.update(seen_at=database_now())
    return redirect("monitor:alerts")


# Readers too: they are told of what they may read.
make = require_POST(for_people(_made, readers=True))
remove = require_POST(for_people(_removed, readers=True))
seen = require_POST(for_people(_seen, readers=True))
