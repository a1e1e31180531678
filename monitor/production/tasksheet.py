"""The table of tasks: its columns, each with its meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.urls import reverse

from monitor import columns
from monitor.production import engined
from monitor.production.engined import ALL_HELP
from monitor.production.tallies import RATE_HOURS
from monitor.production.taskrows import Known, TaskRow
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column


def requested(number: int) -> str:
    """The address of the tasks of a request."""
    return f"{reverse('monitor:tasks')}?request={number}"


def _jobs(**filters: str) -> Callable[[TaskRow], str]:
    return lambda record: jobs_url(task=str(record.task_id), **filters)


class TaskSheet(Sheet):
    """Tasks with the progress of their jobs and input files."""

    def __init__(self, rows: Sequence[TaskRow], *, known: Known) -> None:
        super().__init__(rows)
        self._known = known

    def paginate(self, *args: Any, **more: Any) -> Any:
        """After this the rows of the page are read, and no others."""
        super().paginate(*args, **more)
        self._known.turn_to(row.record.task_id for row in self.paginated_rows)
        return self

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
    request = columns.link(
        "Request",
        "its number in prodDB, or as who sent it says; the tasks of it",
        url=lambda record: requested(record.request) if record.request else "",
    )
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
