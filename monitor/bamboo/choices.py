"""Task brokerage: what each cloud said of each task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from jobs.models import BambooTask, CloudDecision
from monitor import columns
from monitor.sheets import Sheet, column

MOST = 1000  # decisions of one list; each has a line per cloud
OUTCOMES = ("chosen", "accepted", "refused")


@dataclass(frozen=True, kw_only=True)
class ChoiceRow:
    """What one cloud said of one task, and what came of it."""

    at: dt.datetime
    task_id: int
    task: str
    request_id: int | None
    type: str
    given: str
    times: int
    cloud: str
    outcome: str
    weight: float | None
    reason: str
    gist: str


def _task_page(record: ChoiceRow) -> str:
    return reverse("monitor:task", args=[record.task_id])


class ChoiceSheet(Sheet):
    """A line for each task and cloud."""

    at = column("When (UTC)", "the last time that it was so", kind=columns.SecondColumn)
    task_id = columns.link("Task", "taskID; its page", url=_task_page, look="n")
    task = columns.link("Name", "of the task", url=_task_page)
    request_id = column("Request", "its number in prodDB; empty: it came from elsewhere", look="n")
    type = column("Type", "processing type")
    given = column("Decision", "the cloud that it was given; empty: none yet")
    times = columns.number("Times", "rounds in which it came out so; the numbers are of the last")
    cloud = columns.link(
        "Cloud",
        "that was asked",
        url=lambda record: f"{reverse('monitor:bamboo_brokerage')}?cloud={record.cloud}",
    )
    outcome = column(
        "Outcome",
        "chosen; accepted: it took part in the draw; refused",
        kind=columns.WordColumn,
        start="word word-",
    )
    weight = column("Weight", "its part of the draw", look="n")
    reason = column("Why", "the sentence of the cloud", look="wrap")
    gist = column("In short", "what came of it", look="wrap")

    def render_weight(self, value: float) -> str:
        return f"{value:.4g}"

    class Meta(Sheet.Meta):
        empty_text = "No task was given to a cloud within the window."


def read(*, since: dt.datetime, cloud: str, outcome: str, task: int | None) -> list[ChoiceRow]:
    """The lines that the address asks for, the latest decision first."""
    decisions = CloudDecision.objects.select_related("task", "cloud").order_by("-at", "-pk")
    chosen = decisions.filter(task=task) if task else decisions.filter(at__gte=since)
    found = list(chosen[:MOST])
    notes = BambooTask.objects.filter(task__in=[row.task_id for row in found])
    requests = dict(notes.values_list("task", "request_id"))
    rows = (line for row in found for line in _lines(row, requests.get(row.task_id)))
    return [
        line
        for line in rows
        if (not cloud or line.cloud == cloud) and (not outcome or line.outcome == outcome)
    ]


def _lines(row: CloudDecision, request_id: int | None) -> Iterator[ChoiceRow]:
    given = row.cloud.name if row.cloud else ""
    for verdict in row.verdicts:
        accepted = "chosen" if verdict["cloud"] == given else "accepted"
        yield ChoiceRow(
            at=row.at,
            task_id=row.task_id,
            task=row.task.name,
            request_id=request_id,
            type=row.task.processing_type,
            given=given,
            times=row.times,
            cloud=verdict["cloud"],
            outcome=accepted if verdict["accepted"] else "refused",
            weight=verdict["weight"] if verdict["accepted"] else None,
            reason=verdict["reason"],
            gist=row.gist,
        )
