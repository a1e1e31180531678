"""The page of a user: what he used, where, on which days; his live jobs, tasks and quota."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokerage.models import Site
from jobs.models import Task, Usage, UsageQuota
from jobs.shares import limits
from monitor.people.sums import Ended, Used, daily, live_of, since
from monitor.rows import jobs_url
from monitor.words import SEED_ORDER
from pandasite.base.errors import NotThere

DAYS = 30
TASKS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class UserPage:
    """All that is known of a user by the name that jobs have (prodUserID)."""

    name: str
    used: Used
    states: Sequence[tuple[str, int, str]]  # state, jobs, address
    days: Sequence[Ended]
    sites: Sequence[tuple[Ended, int]]  # with jobs under way
    tasks: Sequence[Task]
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
            "tasks": [{"task_id": task.pk, "name": task.name} for task in self.tasks],
        }


def _json(ended: Ended) -> dict[str, Any]:
    names = ("finished", "failed", "cancelled", "wall_s", "cpu_s")
    return {name: getattr(ended, name) for name in names}


def read(name: str, *, now: dt.datetime) -> UserPage:
    """A user by name; NotThere where nothing is known of him."""
    start = since(now, DAYS)
    states, live_at = live_of(name)
    tasks = Task.objects.filter(owner__username=name).order_by("-pk")[:TASKS_SHOWN]
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
        tasks=list(tasks),
        limits=limits.of_user(name, now=now),
    )
    seen = page.tasks or page.states or quota or Usage.objects.filter(user=name).exists()
    if not seen:
        raise NotThere(f"nothing is known of a user {name[:80]}")
    return page


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
