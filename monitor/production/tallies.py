"""What is known of the jobs of tasks, from the summaries that sweeps keep; states, rates and ETAs.

A task has no state of its own: it is that of its jobs. Progress is counted in jobs, and in input
files, since jobs are made anew and files are not.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum

from jobs.models import LiveTally, TaskUsage
from jobs.states import JobState
from pandasite.base.clock import full_hour

RATE_HOURS = 6  # over which the rate of an ETA is measured
LEAST_HOURS = 0.1  # for a task that has just begun
STATES = ("new", "queued", "running", "done", "partly", "failed", "cancelled")
STATE_HELP = {
    "new": "has no jobs yet",
    "queued": "its jobs wait: for a site, for input or for a pilot",
    "running": "a pilot has one of its jobs, or outputs are on the way",
    "done": "all has ended, and nothing is lost",
    "partly": "all has ended; some jobs failed without a successor",
    "failed": "all has ended, nothing finished",
    "cancelled": "all has ended, nothing finished or failed",
}
_AT_WORK = (
    JobState.SENT,
    JobState.STARTING,
    JobState.RUNNING,
    JobState.HOLDING,
    JobState.TRANSFERRING,
)


@dataclass(kw_only=True)
class Tally:
    """Jobs of a task, at a site or at all: ended and live ones, their input files and times (s)."""

    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    lost: int = 0  # ended without success and without successor
    live: Counter[str] = field(default_factory=Counter)
    inputs_done: int = 0
    inputs_lost: int = 0
    inputs_live: int = 0
    wall_s: int = 0
    cpu_s: int = 0
    recent: int = 0  # ended within rate_hours
    rate_hours: float = RATE_HOURS
    latest: dt.datetime | None = None

    @property
    def ended(self) -> int:
        return self.finished + self.failed + self.cancelled

    @property
    def waiting(self) -> int:
        """Jobs that have not ended."""
        return self.live.total()

    @property
    def jobs(self) -> int:
        return self.ended + self.waiting

    @property
    def running(self) -> int:
        """Jobs that a pilot has, or whose outputs are on the way."""
        return sum(self.live[state] for state in _AT_WORK)

    @property
    def queued(self) -> int:
        """Jobs that no pilot has yet."""
        return self.waiting - self.running

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.waiting:
            return "running" if self.running else "queued"
        if not self.ended:
            return "new"
        if self.finished:
            return "partly" if self.lost else "done"
        return "failed" if self.failed else "cancelled"

    @property
    def done_percent(self) -> float | None:
        """Jobs that are finished, of those that are not made anew; None without jobs."""
        return _percent(self.finished, self.finished + self.waiting + self.lost)

    @property
    def inputs(self) -> int:
        """Input files, each once."""
        return self.inputs_done + self.inputs_lost + self.inputs_live

    @property
    def inputs_percent(self) -> float | None:
        """Input files that are done; None where there are none."""
        return _percent(self.inputs_done, self.inputs)

    @property
    def failed_percent(self) -> float | None:
        """failed / (finished + failed); None where nothing ended."""
        return _percent(self.failed, self.finished + self.failed)

    @property
    def rate(self) -> float:
        """Jobs that ended in an hour, of late."""
        return self.recent / self.rate_hours

    @property
    def eta_s(self) -> float | None:
        """Seconds until its live jobs have ended at the rate of late; None: nothing to tell by."""
        if not self.waiting or not self.recent:
            return None
        return 3600 * self.waiting / self.rate

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Of its progress bar: what is finished, lost, under way, and yet to come."""
        return [
            ("finished", self.finished),
            ("failed", self.lost),
            ("running", self.running),
            ("room", self.queued),
        ]

    @property
    def input_parts(self) -> list[tuple[str, int]]:
        """Of the bar of its input files."""
        return [
            ("finished", self.inputs_done),
            ("failed", self.inputs_lost),
            ("room", self.inputs_live),
        ]

    def add(self, other: Tally) -> None:
        """Take the numbers of another tally in."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.live.update(other.live)
        self.see(other.latest)

    def ends(self, row: Mapping[str, Any]) -> None:
        """A sum of what has ended: the only one."""
        for name in (*_ENDED, "recent"):
            setattr(self, name, int(row[f"sum_{name}"] or 0))
        self.see(row["last_end"])

    def lives(self, row: Mapping[str, Any]) -> None:
        """Jobs in a state."""
        self.live[row["state"]] += int(row["sum_n"])
        self.inputs_live += int(row["sum_inputs"])
        self.see(row["last"])

    def see(self, latest: dt.datetime | None) -> None:
        """A change at that time."""
        if latest and (self.latest is None or latest > self.latest):
            self.latest = latest


_ENDED = (
    "finished", "failed", "cancelled", "lost", "inputs_done", "inputs_lost", "wall_s", "cpu_s",
)  # fmt: skip
_NUMBERS = (*_ENDED, "inputs_live", "recent")


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def of_tasks(tasks: Iterable[int] | None, *, now: dt.datetime) -> dict[int, dict[int, Tally]]:
    """Tallies by task and site (0: none), of these tasks or of all."""
    found: dict[int, dict[int, Tally]] = defaultdict(lambda: defaultdict(Tally))
    since = _rate_since(now)
    wanted = None if tasks is None else list(tasks)
    for row in _usage(wanted, since, "task_id", "site_id"):
        found[row["task_id"]][row["site_id"]].ends(row)
    for row in _live(wanted, "task_id", "site_id"):
        found[row["task_id"]][row["site_id"]].lives(row)
    return found


def wholes(tasks: Iterable[int], *, now: dt.datetime) -> dict[int, Tally]:
    """Tallies by task, over all sites: the database adds them up."""
    found: dict[int, Tally] = defaultdict(Tally)
    wanted = list(tasks)
    for row in _usage(wanted, _rate_since(now), "task_id"):
        found[row["task_id"]].ends(row)
    for row in _live(wanted, "task_id"):
        found[row["task_id"]].lives(row)
    return found


def _rate_since(now: dt.datetime) -> dt.datetime:
    """A full hour, as ends are added up by the hour."""
    return full_hour(now) - dt.timedelta(hours=RATE_HOURS)


def rate_hours(made_at: dt.datetime, now: dt.datetime) -> float:
    """How long ends of a task have been counted for its rate: since it was made, where it is young.

    >>> noon = dt.datetime(2009, 9, 17, 12, 30, tzinfo=dt.UTC)
    >>> rate_hours(noon - dt.timedelta(hours=2), noon), rate_hours(noon - dt.timedelta(9), noon)
    (2.0, 6.5)
    """
    since = max(made_at, _rate_since(now))
    return max(LEAST_HOURS, (now - since).total_seconds() / 3600)


def whole(by_site: Mapping[int, Tally], *, made_at: dt.datetime, now: dt.datetime) -> Tally:
    """The sum over all sites, of a task that was made at that time."""
    return together(by_site.values(), rate_hours=rate_hours(made_at, now))


def together(parts: Iterable[Tally], *, rate_hours: float = RATE_HOURS) -> Tally:
    """Their sum."""
    tally = Tally(rate_hours=rate_hours)
    for part in parts:
        tally.add(part)
    return tally


def _usage(tasks: list[int] | None, since: dt.datetime, *by: str) -> QuerySet[TaskUsage, Any]:
    rows = TaskUsage.objects.all() if tasks is None else TaskUsage.objects.filter(task_id__in=tasks)
    ended = F("finished") + F("failed") + F("cancelled")
    sums = {f"sum_{name}": Sum(name) for name in _ENDED}
    return (
        rows.order_by()
        .values(*by)
        .annotate(
            **sums,
            sum_recent=Sum(ended, filter=Q(since__gte=since)),
            last_end=Max("latest"),
        )
    )


def _live(tasks: list[int] | None, *by: str) -> QuerySet[LiveTally, Any]:
    """Jobs by state, their input files and last change."""
    rows = LiveTally.objects.order_by().values(*by, "state")
    rows = rows.exclude(task_id=0) if tasks is None else rows.filter(task_id__in=tasks)
    return rows.annotate(sum_n=Sum("n"), sum_inputs=Sum("inputs"), last=Max("latest"))
