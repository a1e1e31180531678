"""The pages of Bamboo: status over the last hours, task brokerage, job submissions."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from brokerage.models import Cloud
from monitor import lists
from monitor.bamboo import choices, lamp, submitted
from monitor.bamboo import rounds as rounds_
from monitor.bamboo.choices import OUTCOMES, ChoiceSheet
from monitor.bamboo.rounds import STATES, RefusalSheet, RoundSheet
from monitor.bamboo.submitted import SubmissionSheet
from monitor.lists import Age, Field, ListPage, chosen
from monitor.pages import page
from monitor.params import Params
from monitor.words import window_start
from pandasite.base.clock import database_now

HOURS = 12
LONGEST = 720
SPANS = [("1h", "1 hour"), ("3h", "3 hours"), ("12h", "12 hours"), ("24h", "24 hours"),
         ("7d", "7 days"), ("30d", "30 days")]  # fmt: skip
KINDS = [("task", "task requests"), ("job", "job definitions")]
TASK_ID = {"low": 1, "high": 10**18 - 1}


@page
def rounds(request: HttpRequest) -> HttpResponseBase:
    """Status: the cycles of the last hours."""
    params = Params(request.GET, known=lists.known("window", "state", "idle"))
    state = params.choice("state", STATES)
    idle = params.choice("idle", ("yes",))
    now = database_now()
    seen = lamp.look(now=now)
    found = rounds_.rounds(since=_since(params, now), state=state, idle=bool(idle))
    latest = seen.latest
    shown = ListPage(
        name="bamboo",
        title="Bamboo",
        intro="Cycles with the production database: takes tasks and jobs, writes states back.",
        fields=_round_fields(params, state=state, idle=idle),
        ages=[
            Age(title="last cycle", at=latest.started_at if latest else None),
            Age(title="next cycle", at=seen.plan.next_at),
        ],
        notes=_notes(seen),
        links=_links("monitor:bamboo"),
        facts=[("Timetable", seen.plan.words), *rounds_.facts(found, latest=latest)],
    )
    facts = {"on": seen.on, "next_at": seen.plan.next_at, "timetable": seen.plan.words}
    sheet = RoundSheet(found)
    return lists.respond(request, shown, sheet, params=params, now=now, facts=facts)


def _round_fields(params: Params, *, state: str, idle: str) -> list[Field]:
    shown = [("yes", "show them too")]
    return [
        _window(params),
        Field(name="state", title="State", value=state, options=lists.words(STATES)),
        Field(name="idle", title="Found nothing to do", value=idle, options=shown, any="left out"),
    ]


def _notes(seen: lamp.Seen) -> list[str]:
    """What the reader must know: that it is off, or what is in the way."""
    if not seen.on or (seen.latest and seen.latest.error):
        return [seen.words]
    return []


@page
def refused(request: HttpRequest) -> HttpResponseBase:
    """Rows of prodDB that make no sense, with the reasons that they were answered with."""
    params = Params(request.GET, known=lists.known("window", "kind", "round"))
    kind = params.choice("kind", dict(KINDS))
    number = params.number("round", **TASK_ID)
    now = database_now()
    found = rounds_.refusals(since=_since(params, now), kind=kind, round_id=number)
    shown = ListPage(
        name="bamboo_refused",
        title="Refused by Bamboo",
        intro="Rows of the production database that make no sense, and what they were answered.",
        fields=[_window(params), Field(name="kind", title="What", value=kind, options=KINDS)],
        links=_links("monitor:bamboo_refused"),
    )
    return lists.respond(request, shown, RefusalSheet(found), params=params, now=now)


@page
def brokerage(request: HttpRequest) -> HttpResponseBase:
    """Task brokerage: each decision, and what every cloud said."""
    params = Params(request.GET, known=lists.known("window", "cloud", "outcome", "task"))
    outcome = params.choice("outcome", OUTCOMES)
    cloud = chosen(params, "cloud", Cloud)
    task = params.number("task", **TASK_ID)
    now = database_now()
    found = choices.read(
        since=_since(params, now), cloud=cloud.name if cloud else "", outcome=outcome, task=task
    )
    shown = ListPage(
        name="bamboo_brokerage",
        title="Task brokerage",
        intro="Which cloud each production task was given to, and why not to the others.",
        fields=[
            _window(params),
            _cloud(params),
            Field(name="outcome", title="Outcome", value=outcome, options=lists.words(OUTCOMES)),
            _task(params),
        ],
        links=_links("monitor:bamboo_brokerage"),
    )
    return lists.respond(request, shown, ChoiceSheet(found), params=params, now=now)


@page
def submissions(request: HttpRequest) -> HttpResponseBase:
    """What each round submitted for each task."""
    params = Params(request.GET, known=lists.known("window", "cloud", "task"))
    cloud = chosen(params, "cloud", Cloud)
    task = params.number("task", **TASK_ID)
    now = database_now()
    found = submitted.read(since=_since(params, now), task=task, cloud=cloud.name if cloud else "")
    shown = ListPage(
        name="bamboo_submissions",
        title="Job submissions",
        intro="Jobs of job definitions that Bamboo submitted, by round and task.",
        fields=[_window(params), _cloud(params), _task(params)],
        links=_links("monitor:bamboo_submissions"),
        facts=[
            ("Jobs", f"{sum(row.jobs for row in found):,}"),
            ("Tasks", f"{len({row.task_id for row in found}):,}"),
        ],
    )
    return lists.respond(request, shown, SubmissionSheet(found), params=params, now=now)


def _since(params: Params, now: dt.datetime) -> dt.datetime:
    return window_start(now, params.hours("window", longest=LONGEST) or HOURS)


def _window(params: Params) -> Field:
    value = params.values.get("window", f"{HOURS}h")
    return Field(name="window", title="Window", value=value, options=SPANS, any="")


def _cloud(params: Params) -> Field:
    return Field(name="cloud", title="Cloud", value=params.text("cloud"), known=lists.names(Cloud))


def _task(params: Params) -> Field:
    return Field(name="task", title="Task", value=params.text("task"), hint="taskID")


def _links(here: str) -> list[tuple[str, str]]:
    pages = [
        ("Status", "monitor:bamboo"),
        ("Refused rows", "monitor:bamboo_refused"),
        ("Task brokerage", "monitor:bamboo_brokerage"),
        ("Job submissions", "monitor:bamboo_submissions"),
    ]
    return [(title, reverse(name)) for title, name in pages if name != here]
