"""The page of a task: progress in jobs and input files, when it will be done, what went wrong.

Jobs per state are counted at this moment; progress, sites and the ETA come from the summaries that
sweeps keep, whose ages the page prints.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokerage.models import Site
from jobs import oftask
from jobs.api.task_listing import task_json, the_task
from jobs.errors import meaning
from jobs.labels import is_analysis
from jobs.models import LiveTally, Task
from jobs.shares import limits
from jobs.states import QUEUED, JobState
from monitor.lists import Age, sweep_age
from monitor.production import engined, tallies
from monitor.production.engined import Engined
from monitor.production.tallies import Tally
from monitor.rows import jobs_url
from monitor.words import SEED_ORDER

DATASETS_SHOWN = 100
ERRORS_OF = 2000  # the latest failed jobs are looked at for their errors
ERRORS_SHOWN = 20
FILES_OF = 200  # the latest jobs are looked at for their datasets


@dataclass(frozen=True, kw_only=True)
class StateCount:
    """How many jobs are in a state, and the list of them."""

    state: str
    n: int
    url: str


@dataclass(frozen=True, kw_only=True)
class ErrorLine:
    """An error of failed jobs: how many of those that were looked at have it."""

    component: str
    code: int
    meaning: str
    n: int
    url: str


@dataclass(frozen=True, kw_only=True)
class SiteLine:
    """What jobs of the task came to at a site; '' is no site."""

    site: str
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """A task with its jobs per state and site, its progress, errors and datasets."""

    task: Task
    states: Sequence[StateCount]
    tally: Tally
    sites: Sequence[SiteLine]
    errors: Sequence[ErrorLine]
    datasets: Sequence[dict[str, Any]]
    engined: Engined | None  # None: it only groups jobs
    now: dt.datetime
    limits: Sequence[str] = ()  # what holds its jobs back, in sentences
    files_of: int = FILES_OF  # jobs: whose datasets these are

    @property
    def state(self) -> str:
        """Its own, or that of its jobs where it only groups them."""
        return self.task.state or self.tally.state

    @property
    def total(self) -> int:
        return sum(count.n for count in self.states)

    @property
    def errors_all(self) -> bool:
        """Whether all failed jobs were looked at."""
        failed = sum(count.n for count in self.states if count.state == JobState.FAILED)
        return failed <= ERRORS_OF

    @property
    def eta(self) -> dt.datetime | None:
        """When all jobs will have ended, at the rate of late."""
        seconds = self.tally.eta_s
        return None if seconds is None else self.now + dt.timedelta(seconds=seconds)

    def as_json(self) -> dict[str, Any]:
        """The facts; times in s, percentages 0 to 100, None = not known."""
        task = self.task
        return {
            "task_id": task.pk,
            "name": task.name,
            "owner": task.owner.get_username(),
            "vo": task.vo.name if task.vo else None,
            "working_group": task.working_group,
            "processing_type": task.processing_type,
            "campaign": task.campaign,
            "request_id": task.request_id,
            "created_at": task.created_at,
            "state": self.state,
            "jobs": {count.state: count.n for count in self.states},
            "progress": _progress_json(self.tally),
            "limits": [*self.limits],
            "sites": [_site_json(line) for line in self.sites],
            "errors": [
                {"component": e.component, "code": e.code, "meaning": e.meaning, "jobs": e.n}
                for e in self.errors
            ],
            "datasets": [*self.datasets],
            "engine": task_json(task, now=self.now) if self.engined else None,
        }


def _progress_json(tally: Tally) -> dict[str, Any]:
    return {
        "jobs_percent": tally.done_percent,
        "inputs": tally.inputs,
        "inputs_done": tally.inputs_done,
        "inputs_lost": tally.inputs_lost,
        "failed_percent": tally.failed_percent,
        "jobs_per_hour": tally.rate,
        "eta_seconds": tally.eta_s,
        "cpu_s": tally.cpu_s,
        "wall_s": tally.wall_s,
    }


def _site_json(line: SiteLine) -> dict[str, Any]:
    return {
        "site": line.site,
        "live": line.tally.waiting,
        "running": line.tally.running,
        "finished": line.tally.finished,
        "failed": line.tally.failed,
        "cpu_s": line.tally.cpu_s,
    }


def ages() -> list[Age]:
    """When the summaries were made."""
    return [
        sweep_age("live jobs counted", "jobs.tally_live"),
        sweep_age("ended jobs added up", "jobs.sum_usage"),
    ]


def read_task(task_id: int, *, user: Any, now: dt.datetime) -> TaskPage:
    """A task by number; NotThere when there is none. `user` is who looks at it."""
    task = the_task(task_id)
    by_state = oftask.states(task_id)
    by_site = tallies.of_tasks([task_id], now=now).get(task_id, {})
    waits = any(by_state.get(state) for state in QUEUED)
    return TaskPage(
        task=task,
        states=[
            StateCount(state=s, n=by_state[s], url=jobs_url(task=str(task_id), state=s))
            for s in SEED_ORDER
            if s in by_state
        ],
        tally=tallies.whole(by_site, made_at=task.created_at, now=now),
        sites=_sites(by_site),
        errors=_errors(task) if JobState.FAILED in by_state else [],
        datasets=oftask.datasets(task_id, most=FILES_OF, shown=DATASETS_SHOWN),
        engined=engined.read(task, user, now=now),
        now=now,
        limits=_limits(task, now) if waits else (),
    )


def _limits(task: Task, now: dt.datetime) -> list[str]:
    labels = LiveTally.objects.filter(task_id=task.pk).values_list("label", flat=True)
    return limits.of_task(
        user=task.owner.get_username(),
        group=task.working_group,
        kind=task.processing_type,
        analysis=any(map(is_analysis, labels)),
        now=now,
    )


def _sites(by_site: dict[int, Tally]) -> list[SiteLine]:
    names = dict(Site.objects.filter(pk__in=by_site).values_list("pk", "name"))
    lines = [SiteLine(site=names.get(site, ""), tally=tally) for site, tally in by_site.items()]
    return sorted(lines, key=lambda line: (-line.tally.jobs, line.site))


def _errors(task: Task) -> list[ErrorLine]:
    """The errors of the latest failed jobs, the most frequent first."""
    found = oftask.errors(task.pk, most=ERRORS_OF)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [
        ErrorLine(
            component=component,
            code=code,
            meaning=meaning(component, code) or "",
            n=n,
            url=jobs_url(task=str(task.pk), state="failed", error=f"{component}:{code}"),
        )
        for (component, code), n in ranked[:ERRORS_SHOWN]
    ]
