"""The list of tasks: which ones, by the filters of the address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from brokerage.models import VO, Cloud
from jobs.models import LiveTally, Task, TaskUsage
from jobs.tasks_engine.states import LIVE
from monitor import lists
from monitor.lists import Field, chosen
from monitor.params import Params
from monitor.production.engined import STATES
from monitor.production.taskrows import Known, TaskRow
from monitor.words import window_start
from pandasite.base.errors import Unprocessable

MOST = 5000  # tasks that are looked at for one page
FILTERS = (
    "status", "cloud", "user", "vo", "group", "type", "name", "campaign", "request", "window",
)  # fmt: skip
SPANS = [("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"), ("90d", "90 d"), ("365d", "a year")]
DEFAULT_SPAN = "30d"
HIGHEST = 2**63 - 1  # number of a request


@dataclass(frozen=True, kw_only=True)
class Found:
    """Tasks that the address asks for, with their tallies."""

    rows: Sequence[TaskRow]
    known: Known


def read(params: Params, *, now: dt.datetime) -> Found:
    """The tasks that pass the filters, newest first; Unprocessable where they are too many."""
    status, hours = params.choice("status", STATES), params.hours("window") or 30 * 24
    wanted = _wanted(params, since=window_start(now, hours))
    if status:
        wanted = wanted.filter(state__in=["", status])
    keys = list(wanted.order_by("-pk").values_list("pk", flat=True)[: MOST + 1])
    if len(keys) > MOST:
        words = f"more than {MOST:,} tasks: narrow your search, by window, user, group or name"
        raise Unprocessable(words, code="too_many")
    known = Known(keys, now=now)
    rows = [TaskRow(task_id=key, known=known) for key in keys]
    cloud = chosen(params, "cloud", Cloud)
    return Found(
        rows=[
            row
            for row in rows
            if (not status or row.state == status) and (not cloud or row.cloud == cloud.name)
        ],
        known=known,
    )


def _wanted(params: Params, *, since: dt.datetime) -> QuerySet[Task]:
    """Made or at work within the window, and called as the filters say; a request has all."""
    if request := params.number("request", low=1, high=HIGHEST):
        return _called(params, Task.objects.filter(request_id=request))
    at_work = LiveTally.objects.filter(task_id=OuterRef("pk"))
    of_late = TaskUsage.objects.filter(task_id=OuterRef("pk"), latest__gte=since)
    tasks = Task.objects.filter(
        Q(created_at__gte=since)
        | Exists(at_work)
        | Exists(of_late)
        | Q(state_changed_at__gte=since)
        | Q(state__in=LIVE)
    )
    return _called(params, tasks)


def _called(params: Params, tasks: QuerySet[Task]) -> QuerySet[Task]:
    if vo := chosen(params, "vo", VO):
        tasks = tasks.filter(vo=vo)
    texts = {
        "owner__username": lists.account(params, "user"),
        "working_group": params.text("group"),
        "processing_type": params.text("type"),
        "name__icontains": params.text("name"),
    }
    tasks = tasks.filter(**{name: text for name, text in texts.items() if text})
    if campaign := params.text("campaign"):
        begins = Q(name=campaign) | Q(name__startswith=f"{campaign}.")
        tasks = tasks.filter(Q(campaign=campaign) | begins)
    return tasks


def fields(params: Params) -> list[Field]:
    """The form of the filters."""
    given = params.text
    return [
        Field(name="status", title="State", value=given("status"), options=lists.words(STATES)),
        Field(name="name", title="Name has", value=given("name")),
        Field(name="campaign", title="Campaign", value=given("campaign")),
        Field(name="request", title="Request", value=given("request"), hint="its number"),
        Field(name="user", title="User", value=given("user")),
        Field(name="group", title="Working group", value=given("group")),
        Field(name="type", title="Processing type", value=given("type")),
        _named("cloud", "Cloud", given("cloud"), lists.names(Cloud)),
        _named("vo", "VO", given("vo"), lists.names(VO)),
        Field(
            name="window",
            title="Made or active within",
            value=params.values.get("window", DEFAULT_SPAN),
            options=SPANS,
            any="",
        ),
    ]


def _named(name: str, title: str, value: str, there: Sequence[str]) -> Field:
    return Field(name=name, title=title, value=value, options=lists.words(there))
