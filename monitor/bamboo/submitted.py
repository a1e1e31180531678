"""Job submissions: what each round submitted for each task, and how far the tasks are."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import F
from django.urls import reverse

from jobs.models import BambooSubmission
from monitor import columns
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column

MOST = 5000


def _task_page(record: BambooSubmission) -> str:
    return reverse("monitor:task", args=[record.task.task_id])


class SubmissionSheet(Sheet):
    """A line for each task and round."""

    at = column("When (UTC)", "the round began", kind=columns.SecondColumn)
    task_id = columns.link(
        "Task", "taskID; its page", accessor="task__task_id", url=_task_page, look="n"
    )
    request_id = column("Request", "its number in prodDB", accessor="task__request_id", look="n")
    name = columns.link("Name", "of the task", accessor="task__name", url=_task_page)
    cloud = column("Cloud", "that the task was given to", accessor="task__cloud__name")
    jobs = columns.number(
        "Jobs",
        "submitted in this round; all of the task",
        url=lambda record: jobs_url(task=str(record.task.task_id)),
    )
    refused = columns.number("Refused", "definitions that make no sense")
    state = column(
        "State of the task",
        "as prodDB is told",
        accessor="task__state",
        kind=columns.WordColumn,
        start="word word-",
    )
    jobs_total = columns.number("All jobs", "of the task", accessor="task__jobs_total")
    jobs_finished = columns.number("Finished", "of these", accessor="task__jobs_finished")
    jobs_failed = columns.number("Lost", "failed or cancelled", accessor="task__jobs_failed")
    to_submit = columns.number(
        "Left", "definitions still in prodDB when last counted", accessor="task__to_submit"
    )

    class Meta(Sheet.Meta):
        empty_text = "No job was submitted within the window."


def read(*, since: dt.datetime, task: int | None, cloud: str) -> list[BambooSubmission]:
    """The submissions since then, or of a task, the latest first."""
    found: Any = BambooSubmission.objects.select_related("task__cloud", "task__task")
    found = found.filter(task__task=task) if task else found.filter(at__gte=since)
    if cloud:
        found = found.filter(task__cloud__name=cloud)
    return list(found.order_by(F("at").desc(), "-pk")[:MOST])
