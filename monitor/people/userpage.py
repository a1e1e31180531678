"""The page of a user: what he used, where, on which days; his live jobs, tasks and quota."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from brokerage.models import Site
from jobs.models import AnyJob, Task, UsageQuota
from jobs.shares import limits
from monitor.people.sums import Ended, Used, daily, has_used, live_of, since
from monitor.production.tallies import Tally, wholes
from monitor.rows import jobs_url
from monitor.words import SEED_ORDER
from pandasite.base.errors import NotThere

DAYS = 30
TASKS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class TaskLine:
    """A task and what its jobs came to."""

    task: Task
    tally: Tally

    @property
    def state(self) -> str:
        """Its own, or that of its jobs where it only groups them."""
        return self.task.state or self.tally.state

    def as_json(self) -> dict[str, Any]:
        """The facts; percentages 0 to 100, None = not known."""
        return {
            "task_id": self.task.pk,
            "name": self.task.name,
            "state": self.state,
            "jobs_percent": self.tally.done_percent,
            "failed_percent": self.tally.failed_percent,
        }


@dataclass(frozen=True, kw_only=True)
class UserPage:
    """All that is known of a user by the name that jobs have (prodUserID)."""

    name: str
    used: Used
    states: Sequence[tuple[str, int, str]]  # state, jobs, address
    days: Sequence[Ended]
    sites: Sequence[tuple[Ended, int]]  # with jobs under way
    tasks: Sequence[TaskLine]
    limits: Sequence[str]  # what holds his jobs back, in sentences

    def as_json(self) -> dict[str, Any]:
        """The facts; times in s."""
        return {
            "user": self.name,
            "cpu_s": {str(days): n for days, n in self.used.cpu.items()},
            "quota_cpu_hours": self.used.quota.cpu_hours if self.used.quota else None,
            "limits": [*self.limits],
            "live": {state: n for state, n, _url in self.states},
            "days": [_json(day) | {"day": day.day} for day in self.days],
            "sites": [_json(s) | {"site": s.value, "live": live} for s, live in self.sites],
            "tasks": [line.as_json() for line in self.tasks],
        }


def _json(ended: Ended) -> dict[str, Any]:
    names = ("finished", "failed", "cancelled", "wall_s", "cpu_s")
    return {name: getattr(ended, name) for name in names}


def read(name: str, *, now: dt.datetime) -> UserPage:
    """A user by name; NotThere where nothing is known of him."""
    start = since(now, DAYS)
    states, live_at = live_of(name)
    quota = UsageQuota.objects.filter(kind=UsageQuota.Kind.USER, name=name).first()
    days = _by_day(daily("user", filters={"user": name}, start=start))
    page = UserPage(
        name=name,
        used=_used(name, days, states, quota, now),
        states=[
            (state, states[state], jobs_url(user=name, state=state))
            for state in SEED_ORDER
            if states[state]
        ],
        days=days,
        sites=_sites(name, start, live_at),
        tasks=_tasks(name, now),
        limits=limits.of_user(name, now=now),
    )
    if not (page.tasks or page.states or quota or _is_known(name)):
        raise NotThere(f"nothing is known of a user {name[:80]}")
    return page


def _is_known(name: str) -> bool:
    """Who has an account, and is no pilot; or had jobs, also those that no sweep has counted."""
    accounts = get_user_model().objects.filter(username=name, pilot_account=None)
    jobs = AnyJob.objects.filter(prod_user_id=name)
    return has_used(name) or accounts.exists() or jobs.exists()


def _tasks(name: str, now: dt.datetime) -> list[TaskLine]:
    """The latest."""
    tasks = Task.objects.filter(owner__username=name).order_by("-pk")[:TASKS_SHOWN]
    known = wholes([task.pk for task in tasks], now=now)
    return [TaskLine(task=task, tally=known.get(task.pk) or Tally()) for task in tasks]


def _by_day(days: Sequence[Ended]) -> list[Ended]:
    return sorted(days, key=lambda one: one.day or dt.date.min, reverse=True)


def _used(
    name: str, days: Sequence[Ended], live: Counter[str], quota: UsageQuota | None, now: dt.datetime
) -> Used:
    cpu = {
        span: sum(d.cpu_s for d in days if d.day and d.day >= since(now, span).date())
        for span in (7, DAYS)
    }
    return Used(name=name, cpu=cpu, live=live, quota=quota, wall_30=sum(d.wall_s for d in days))


def _sites(
    name: str, start: dt.datetime, live_at: dict[int, Counter[str]]
) -> list[tuple[Ended, int]]:
    """Those with jobs, who used most first."""
    names = dict(Site.objects.values_list("pk", "name"))
    live = {names[site]: states.total() for site, states in live_at.items() if site in names}
    ended = {
        one.value: one for one in daily("site", filters={"user": name}, start=start, by_day=False)
    }
    none = dict.fromkeys(("finished", "failed", "cancelled", "wall_s", "cpu_s"), 0)
    for site in live.keys() - ended.keys():
        ended[site] = Ended(by="site", day=None, value=site, **none)
    rows = [(one, live.get(site, 0)) for site, one in ended.items() if site]
    return sorted(rows, key=lambda row: (-row[0].cpu_s, -row[1], row[0].value))
