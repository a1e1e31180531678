"""The task browser: tasks that share a value, and the sum of their jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.urls import reverse

from monitor import columns
from monitor.production.engined import ACTIVE, LOST
from monitor.production.tallies import Tally
from monitor.production.taskrows import TaskRow
from monitor.sheets import Sheet, column

# How the browser groups tasks: word, title, and what of a task it is.
BY: Mapping[str, tuple[str, Callable[[TaskRow], str]]] = {
    "campaign": (
        "campaign: as its request says, else the name up to its first dot",
        lambda row: row.campaign or campaign_of(row.name),
    ),
    "request": ("request: its number", lambda row: str(row.request or "")),
    "group": ("working group", lambda row: row.group),
    "type": ("processing type", lambda row: row.type),
    "user": ("user", lambda row: row.user),
    "cloud": ("cloud", lambda row: row.cloud),
    "vo": ("VO", lambda row: row.vo),
}


def campaign_of(name: str) -> str:
    """What production names begin with: `mc09_7TeV` of `mc09_7TeV.105001.evgen`."""
    return name.partition(".")[0]


@dataclass(kw_only=True)
class Group:
    """Tasks that share a value, and the sum of their jobs."""

    value: str
    url: str
    tasks: int = 0
    states: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    active = property(lambda self: sum(self.states.get(state, 0) for state in ACTIVE))
    done_tasks = property(lambda self: self.states.get("done", 0))
    failed_tasks = property(lambda self: sum(self.states.get(state, 0) for state in LOST))
    done = property(lambda self: self.tally.done_percent)
    inputs = property(lambda self: self.tally.inputs_percent)
    jobs = property(lambda self: self.tally.jobs)
    failed_pct = property(lambda self: self.tally.failed_percent)
    cpu = property(lambda self: self.tally.cpu_s)
    latest = property(lambda self: self.tally.latest)


class GroupSheet(Sheet):
    """Groups of tasks."""

    value = columns.link("Group", "what the tasks share; the tasks", url=lambda record: record.url)
    tasks = columns.number("Tasks", "how many")
    active = columns.number("Active", "tasks with jobs that have not ended")
    done_tasks = columns.number("Done", "tasks that ended without loss")
    failed_tasks = columns.number("Failed", "tasks that ended with jobs lost")
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
        parts=lambda record: record.tally.input_parts,
    )
    jobs = columns.number("Jobs", "with retries")
    failed_pct = columns.percent("Failed %", "failed / (finished + failed)")
    cpu = columns.hours("CPU hours", "of jobs that have ended")
    latest = columns.time("Latest (UTC)", "last change of a job's state")

    class Meta(Sheet.Meta):
        empty_text = "No task fits. Take a filter away, or choose a longer window."


def grouped(rows: Iterable[TaskRow], *, by: str, given: Mapping[str, str]) -> list[Group]:
    """The rows by what they share, the largest group first; `given` are the filters."""
    groups: dict[str, Group] = {}
    for row in rows:
        value = BY[by][1](row)
        if value not in groups:
            query = urlencode({**given, by: value}) if value else ""
            url = f"{reverse('monitor:tasks')}?{query}" if value else ""
            groups[value] = Group(value=value or "(none)", url=url)
        group = groups[value]
        group.tasks += 1
        group.states[row.state] = group.states.get(row.state, 0) + 1
        group.tally.add(row.tally)
    return sorted(groups.values(), key=lambda group: (-group.tasks, group.value))
