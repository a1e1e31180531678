"""The small numbers and links around the tables of the dashboard. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor import menu
from monitor.models import Link
from monitor.queries import Facts
from monitor.rows import jobs_url
from monitor.words import STALE_HOURS

NO_CLOUD = "not placed yet"


@dataclass(frozen=True, kw_only=True)
class StaleCount:
    """How many jobs of a state nothing has touched for `hours`."""

    state: str
    hours: int
    n: int
    url: str


@dataclass(frozen=True, kw_only=True)
class TaskCount:
    """How many tasks of a cloud have jobs that have not ended."""

    cloud: str
    n: int
    url: str


def stale_counts(facts: Facts) -> list[StaleCount]:
    """The banner: one number per state of STALE_HOURS."""
    return [
        StaleCount(
            state=state,
            hours=hours,
            n=sum(stale.n for stale in facts.stale if stale.state == state),
            url=jobs_url(state=state, idle=f"{hours}h", kind=facts.kind),
        )
        for state, hours in STALE_HOURS.items()
    ]


def task_counts(facts: Facts) -> list[TaskCount]:
    """One number for each cloud, and one for tasks that have none yet if there are any."""
    found = facts.tasks.by_cloud if facts.tasks else {}
    names = {cloud.pk: cloud.name for cloud in facts.clouds}
    elsewhere = sum(n for key, n in found.items() if key not in names)
    counts = [
        TaskCount(cloud=name, n=found.get(key, 0), url=menu.address("monitor:tasks", cloud=name))
        for key, name in names.items()
    ]
    return counts + ([TaskCount(cloud=NO_CLOUD, n=elsewhere, url="")] if elsewhere else [])


def link_json(link: Link) -> dict[str, str]:
    """A link as facts."""
    return {"title": link.title, "url": link.url, "note": link.note}
