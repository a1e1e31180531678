"""The list of tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from brokerage.models import VO, Cloud
from jobs.models import LiveTally, Task, TaskUsage
from jobs.tasks_engine.states import LIVE
from monitor import columns, lists
from monitor.lists import Field, chosen
from monitor.params import Params
from monitor.production import engined
from monitor.production.engined import ALL_HELP, STATES
from monitor.production.tallies import RATE_HOURS
from monitor.production.taskrow import Known, TaskRow
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column
from monitor.words import window_start
from pandasite.base.errors import Unprocessable

MOST = 5000  # tasks that are looked at for one page
FILTERS = ("status", "cloud", "user", "vo", "group", "type", "name", "campaign", "window")
SPANS = [("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"), ("90d", "90 d"), ("365d", "a year")]
DEFAULT_SPAN = "30d"


def _jobs(**filters: str) -> Callable[[TaskRow], str]:
    return lambda record: jobs_url(task=str(record.task_id), **filters)


class TaskSheet(Sheet):
    """Tasks with the progress of their jobs and input files."""

    task_id = columns.link(
        "Task",
        "number of the task; its page",
        url=lambda record: reverse("monitor:task", args=[record.task_id]),
    )
    name = column("Name", "as its owner called it", look="cut")
    state = column(
        "State",
        "; ".join(f"{state}: {meaning}" for state, meaning in ALL_HELP.items()),
        kind=columns.WordColumn,
        start="word word-",
    )
    done = column(
        "Jobs done",
        "finished, of jobs that are not made anew; the bar: finished, lost, with a pilot, to come",
        kind=columns.BarColumn,
        parts=lambda record: record.tally.parts,
    )
    inputs = column(
        "Input files done",
        "input files of finished jobs, of all; empty where jobs read none",
        kind=columns.BarColumn,
        parts=lambda record: record.input_parts,
    )
    events = column(
        "Events done",
        "events of work that is done, of all so far; empty where they are not known",
        kind=columns.BarColumn,
        parts=lambda record: engined.event_parts(record.task),
    )
    lost = columns.number("Input lost", "input files of work that failed and is not tried again")
    priority = columns.number("Priority", "of the jobs that it makes")
    jobs = columns.number("Jobs", "all jobs of the task, with retries", url=_jobs())
    waiting = columns.number("Waiting", "jobs that no pilot has yet")
    running = columns.number("Running", "jobs that a pilot has, or whose outputs are on the way")
    finished = columns.number("Finished", "jobs", url=_jobs(state="finished"))
    failed = columns.number("Failed", "jobs, retried or not", url=_jobs(state="failed"))
    failed_pct = columns.percent("Failed %", "failed / (finished + failed)")
    eta = column(
        "ETA",
        "until its work is done, at the rate since its first jobs; where it only groups jobs, at"
        f" that of the last {RATE_HOURS} hours; empty: no rate",
        kind=columns.SpanColumn,
        look="n",
    )
    latest = columns.time("Latest (UTC)", "last change of a job's state")
    user = columns.link(
        "User",
        "owner of the task; what he used",
        url=lambda record: reverse("monitor:user", args=[record.user]),
    )
    group = column("Group", "working group")
    campaign = column("Campaign", "as its request says")
    parent = columns.link(
        "Parent",
        "task whose output it reads; its page",
        url=lambda record: reverse("monitor:task", args=[record.parent]) if record.parent else "",
    )
    changed = columns.time("State since (UTC)", "last change of the task's own state")
    type = column("Type", "processing type")
    cloud = column("Cloud", "where most of its jobs are or were")
    sites = columns.number("Sites", "at which it has or had jobs")
    vo = column("VO", "virtual organisation")
    created = columns.time("Created (UTC)", "when the task was made")

    class Meta(Sheet.Meta):
        empty_text = "No task fits. Take a filter away, or choose a longer window."


SHOWN = (
    "task_id", "name", "state", "done", "inputs", "events", "jobs", "running",
    "failed_pct", "eta", "latest", "user", "group", "cloud",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """Tasks that the address asks for, with their tallies."""

    rows: Sequence[TaskRow]
    span: str


def read(params: Params, *, now: dt.datetime) -> Found:
    """The tasks that pass the filters, newest first; Unprocessable where they are too many."""
    status, span = params.choice("status", STATES), params.values.get("window", DEFAULT_SPAN)
    hours = params.hours("window") or 30 * 24
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
        span=span,
    )


def _wanted(params: Params, *, since: dt.datetime) -> QuerySet[Task]:
    """Made or at work within the window, and called as the filters say."""
    at_work = LiveTally.objects.filter(task_id=OuterRef("pk"))
    of_late = TaskUsage.objects.filter(task_id=OuterRef("pk"), latest__gte=since)
    tasks = Task.objects.filter(
        Q(created_at__gte=since)
        | Exists(at_work)
        | Exists(of_late)
        | Q(state_changed_at__gte=since)
        | Q(state__in=LIVE)
    )
    if vo := chosen(params, "vo", VO):
        tasks = tasks.filter(vo=vo)
    texts = {
        "owner__username": params.text("user"),
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
