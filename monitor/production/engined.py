"""What the engine knows of a task, for its page and for lists; empty for tasks that group jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.api.task_listing import counts, datasets, waiting
from jobs.models import Task, TaskEvent
from jobs.tasks_engine.deeds import may
from jobs.tasks_engine.progress import left_s
from jobs.tasks_engine.states import LIVE, TaskState
from monitor.production import tallies

S = TaskState
EVENTS_SHOWN = 50
CHILDREN_SHOWN = 20
STATE_HELP: Mapping[str, str] = {
    S.REGISTERED: "kept, not looked at yet",
    S.DEFINED: "checked",
    S.ASSIGNING: "waits for a cloud",
    S.READY: "waits for the list of its input",
    S.PENDING: "waits for input",
    S.SCOUTING: "a few jobs run first",
    S.RUNNING: tallies.STATE_HELP["running"],
    S.PAUSED: "somebody holds it",
    S.FINISHING: "its last jobs, and merging",
    S.DONE: tallies.STATE_HELP["done"],
    S.FINISHED: "a part of its work was lost",
    S.FAILED: tallies.STATE_HELP["failed"],
    S.ABORTING: "killed; its jobs end",
    S.ABORTED: "killed",
    S.BROKEN: "can never run",
    S.EXHAUSTED: "all its scouts failed",
}
# Those of groups of jobs first: a filter takes either.
STATES = tuple(dict.fromkeys([*tallies.STATES, *(state.value for state in S)]))
ALL_HELP = {**tallies.STATE_HELP, **STATE_HELP}
ACTIVE = frozenset({"queued", "running", *(state.value for state in LIVE)})
LOST = frozenset({"partly", "failed", "finished", "broken"})

# Words on buttons, and the states in which a deed has a chance.
ACTS: Mapping[str, tuple[str, frozenset[str]]] = {
    "kill": ("Kill", frozenset(LIVE) - {S.ABORTING}),
    "finish": ("Finish now", frozenset(LIVE) - {S.ABORTING, S.FINISHING}),
    "retry": (
        "Retry failed",
        frozenset({S.SCOUTING, S.RUNNING, S.FINISHING, S.FINISHED, S.FAILED, S.EXHAUSTED}),
    ),
    "pause": ("Pause", frozenset(LIVE) - {S.PAUSED, S.FINISHING, S.ABORTING, S.EXHAUSTED}),
    "resume": ("Resume", frozenset({S.PAUSED})),
    "priority": ("Change priority", frozenset(LIVE)),
}
MEASURED: Mapping[str, tuple[str, str]] = {
    "memory_mb": ("Memory", "MB"),
    "cpu_s_per_event": ("CPU time", "s"),
    "output_mb_per_event": ("Output", "MB"),
}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What scouts came to, and what was set after it."""

    what: str
    unit: str
    measured: float
    factor: float
    set: float


@dataclass(frozen=True, kw_only=True)
class Engined:
    """A task that the engine carries, at a moment."""

    task: Task
    waits_for: str
    history: Sequence[TaskEvent]
    children: Sequence[Task]
    counts: Sequence[Mapping[str, Any]]
    datasets: Sequence[Mapping[str, Any]]
    acts: Sequence[tuple[str, str]]
    now: dt.datetime

    @property
    def measures(self) -> list[Measure]:
        """Those that its scouts have made."""
        found, per = self.task.measured, self.task.measured.get("per", "event")
        return [
            Measure(
                what=what,
                unit=unit if name == "memory_mb" else f"{unit} per {per}",
                measured=found[name]["measured"],
                factor=found[name]["factor"],
                set=found[name]["set"],
            )
            for name, (what, unit) in MEASURED.items()
            if name in found
        ]

    @property
    def eta_s(self) -> float | None:
        """Seconds until its work is done."""
        return left_s(self.task, now=self.now)

    @property
    def eta(self) -> dt.datetime | None:
        """When its work will be done."""
        seconds = self.eta_s
        return None if seconds is None else self.now + dt.timedelta(seconds=seconds)

    @property
    def event_parts(self) -> list[tuple[str, int]]:
        """Of the bar of its events."""
        return event_parts(self.task)

    @property
    def input_parts(self) -> list[tuple[str, int]]:
        """Of the bar of its input files."""
        return input_parts(self.task)

    @property
    def wishes(self) -> list[tuple[str, Any]]:
        """What was asked for, without what is empty."""
        hidden = {"owner", "name", "outputs", "inputs", "secondary", "merge", "vo"}
        return [(k, v) for k, v in sorted(self.task.spec.items()) if v and k not in hidden]


def event_parts(task: Task) -> list[tuple[str, int]]:
    """Events that are done, and those that are not."""
    return [("finished", task.events_done), ("room", max(0, task.events - task.events_done))]


def input_parts(task: Task) -> list[tuple[str, int]]:
    """Input files that are done, lost, and to come."""
    left = task.inputs - task.inputs_done - task.inputs_failed
    return [
        ("finished", task.inputs_done),
        ("failed", task.inputs_failed),
        ("room", max(0, left)),
    ]


def percent(part: int, whole: int) -> float | None:
    """None of nothing."""
    return 100 * part / whole if whole else None


def read(task: Task, user: Any, *, now: dt.datetime) -> Engined | None:
    """What the engine knows of it; None where it only groups jobs."""
    if task.is_grouping:
        return None
    allowed = user.is_authenticated and may(user, task)
    return Engined(
        task=task,
        waits_for=waiting(task),
        history=list(task.history.order_by("-seq")[:EVENTS_SHOWN]),
        children=list(task.children.order_by("pk")[:CHILDREN_SHOWN]),
        counts=counts(task),
        datasets=datasets(task),
        acts=[
            (name, title)
            for name, (title, states) in ACTS.items()
            if allowed and task.state in states
        ],
        now=now,
    )
