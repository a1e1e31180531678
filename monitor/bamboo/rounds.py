"""Rounds of Bamboo, and the rows of prodDB that it refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from jobs.bamboo.cycle import COUNTS
from jobs.models import BambooRefusal, BambooRound
from monitor import columns
from monitor.sheets import Sheet, column
from monitor.words import ago

MOST = 5000  # rows of one list
STATES = [state.value for state in BambooRound.State]


def steps_in_words(steps: Sequence[dict[str, Any]]) -> str:
    """How long each step took, and what was in its way."""
    return ", ".join(
        f"{step['name']} {step['seconds']:.1f} s" + (" !" if step["trouble"] else "")
        for step in steps
    )


class RoundSheet(Sheet):
    """A line for each cycle."""

    started_at = column("Began (UTC)", "when the cycle began", kind=columns.SecondColumn)
    state = column(
        "State",
        "done; more: what was left was done by the next one at once; trouble: see the error",
        kind=columns.WordColumn,
        start="word word-",
    )
    seconds = column("Took", "empty: it goes on, or was killed", kind=columns.SpanColumn, look="n")
    taken = columns.number("Tasks", "new task requests that were taken")
    assigned = columns.number("Clouds", "tasks that were given a cloud")
    submitted = columns.number("Jobs", "submitted")
    written = columns.number("Written back", "states of jobs and tasks")
    killed = columns.number("Killed", "jobs cancelled, or told to end")
    refused = columns.number(
        "Refused",
        "rows of prodDB that make no sense",
        url=lambda record: f"{reverse('monitor:bamboo_refused')}?round={record.pk}",
    )
    backlog_tasks = columns.number("Tasks left", "that waited in prodDB when it ended")
    backlog_jobs = columns.number("Jobs left", "definitions that waited in prodDB when it ended")
    steps = column("Steps", "how long each took; ! where something was in the way", look="wrap")
    host = column("On", "the machine")
    error = column("Error", "what was in the way", look="wrap")

    def render_steps(self, value: Sequence[dict[str, Any]]) -> str:
        return steps_in_words(value)

    class Meta(Sheet.Meta):
        empty_text = "No cycle fits. Choose a longer window, or show those that found nothing too."


class RefusalSheet(Sheet):
    """A line for each row that was refused."""

    at = column("When (UTC)", "it was answered", kind=columns.SecondColumn)
    kind = column("What", "a task request, or a job definition")
    subject_id = column("Number", "of the request or definition in prodDB", look="n")
    name = column("Name", "as production gave it")
    reason = column("Reason", "what prodDB says beside it now", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "Nothing was refused within the window."


def rounds(*, since: dt.datetime, state: str, idle: bool) -> list[BambooRound]:
    """The rounds since then, the latest first; without `idle`, those that did something."""
    found = BambooRound.objects.filter(started_at__gte=since).order_by("-started_at")
    if state:
        found = found.filter(state=state)
    if not idle:
        found = found.exclude(state=BambooRound.State.DONE, **dict.fromkeys(COUNTS, 0))
    return list(found[:MOST])


def refusals(*, since: dt.datetime, kind: str, round_id: int | None) -> list[BambooRefusal]:
    """What was refused since then, or in a round, the latest first."""
    found = BambooRefusal.objects.order_by("-at", "-pk")
    found = found.filter(round=round_id) if round_id else found.filter(at__gte=since)
    return list((found.filter(kind=kind) if kind else found)[:MOST])


def facts(found: Sequence[BambooRound], *, latest: BambooRound | None) -> list[tuple[str, str]]:
    """What the rounds of the window add up to, and what is left in prodDB."""
    sums = {name: sum(getattr(row, name) for row in found) for name in COUNTS}
    told = [
        ("Jobs submitted", f"{sums['submitted']:,}"),
        ("States written back", f"{sums['written']:,}"),
        ("Jobs killed", f"{sums['killed']:,}"),
        ("Rows refused", f"{sums['refused']:,}"),
    ]
    longest = max((row.seconds for row in found if row.seconds is not None), default=None)
    if longest is not None:
        told.append(("Longest cycle", ago(longest)))
    if latest is not None and latest.backlog_jobs is not None:
        left = f"{latest.backlog_tasks:,} tasks, {latest.backlog_jobs:,} jobs"
        told.append(("Backlog in prodDB", left))
    return told
