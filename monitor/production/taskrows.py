"""A task of the list with what its jobs came to, read when it is asked for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from brokerage.models import Site
from jobs.models import Task
from jobs.tasks_engine.progress import left_s
from monitor.production import engined, tallies
from monitor.production.tallies import Tally
from monitor.sheets import ROWS


class Known:
    """The tasks of a list with their tallies, read when they are asked for.

    A page shows a hundred tasks, each with its sites. Who sorts by what their jobs came to, or asks
    for a state, needs all, but not their sites: these are added up by the database.
    """

    def __init__(self, keys: Sequence[int], *, now: dt.datetime) -> None:
        self.now = now
        self.clouds: Mapping[int, str] = dict(Site.objects.values_list("pk", "cloud__name"))
        self._keys, self._page = keys, frozenset(keys[:ROWS])
        self._tasks: dict[int, Task] = {}
        self._by_site: dict[int, Mapping[int, Tally]] = {}
        self._whole: dict[int, Tally] = {}

    def turn_to(self, keys: Iterable[int]) -> None:
        """These are looked at from now on."""
        self._page = frozenset(keys)

    def task(self, key: int) -> Task:
        """One of the list."""
        if key not in self._tasks:
            rows = Task.objects.select_related("owner", "vo", "cloud").defer("spec", "measured")
            self._tasks |= rows.in_bulk(self._missing(key, self._tasks))
        return self._tasks[key]

    def by_site(self, key: int) -> Mapping[int, Tally]:
        """The tallies of one of the list, by site."""
        if key not in self._by_site:
            wanted = self._missing(key, self._by_site)
            read = tallies.of_tasks(wanted, now=self.now)
            self._by_site |= {one: read.get(one, {}) for one in wanted}
        return self._by_site[key]

    def whole(self, key: int) -> Tally:
        """The tally of one of the list, over all sites; its rate is that of the usual hours."""
        if key in self._whole:
            return self._whole[key]
        if key in self._by_site or key in self._page:
            self._whole[key] = tallies.together(self.by_site(key).values())
        else:
            wanted = self._missing(key, self._whole)
            read = tallies.wholes(wanted, now=self.now)
            self._whole |= {one: read.get(one) or Tally() for one in wanted}
        return self._whole[key]

    def _missing(self, key: int, there: Collection[int]) -> list[int]:
        """Those of the page, if it is on it, else all; without those that are there."""
        wanted: Iterable[int] = self._page if key in self._page else self._keys
        return [one for one in wanted if one not in there]


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """A task and the sum of what its jobs came to."""

    task_id: int
    known: Known

    @property
    def task(self) -> Task:
        return self.known.task(self.task_id)

    @cached_property
    def tally(self) -> Tally:
        """Over all sites."""
        return self.known.whole(self.task_id)

    @property
    def cloud(self) -> str:
        """The one that it was given to, or where most of its jobs are or were."""
        if self.task.cloud:
            return self.task.cloud.name
        jobs: Counter[str] = Counter()
        for site, tally in self.known.by_site(self.task_id).items():
            if site in self.known.clouds:
                jobs[self.known.clouds[site]] += tally.jobs
        return max(jobs, key=lambda name: (jobs[name], name), default="")

    @property
    def sites(self) -> int:
        """At which it has or had jobs."""
        return sum(1 for site in self.known.by_site(self.task_id) if site)

    @property
    def eta(self) -> float | None:
        """Seconds until its work is done."""
        task, now = self.task, self.known.now
        if task.state:
            return left_s(task, now=now)
        return replace(self.tally, rate_hours=tallies.rate_hours(task.created_at, now)).eta_s

    name = property(lambda self: self.task.name)
    user = property(lambda self: self.task.owner.get_username())
    vo = property(lambda self: self.task.vo.name if self.task.vo else "")
    group = property(lambda self: self.task.working_group)
    type = property(lambda self: self.task.processing_type)
    created = property(lambda self: self.task.created_at)
    state = property(lambda self: self.task.state or self.tally.state)
    priority = property(lambda self: self.task.priority)
    campaign = property(lambda self: self.task.campaign)
    request = property(lambda self: self.task.request_id)
    parent = property(lambda self: self.task.parent_id)
    events = property(lambda self: engined.percent(self.task.events_done, self.task.events))
    changed = property(lambda self: self.task.state_changed_at)
    lost = property(
        lambda self: self.task.inputs_failed if self.task.state else self.tally.inputs_lost
    )
    done = property(lambda self: self.tally.done_percent)
    jobs = property(lambda self: self.tally.jobs)
    running = property(lambda self: self.tally.running)
    waiting = property(lambda self: self.tally.queued)
    finished = property(lambda self: self.tally.finished)
    failed = property(lambda self: self.tally.failed)
    failed_pct = property(lambda self: self.tally.failed_percent)
    inputs = property(
        lambda self: (
            engined.percent(self.task.inputs_done, self.task.inputs)
            if self.task.state
            else self.tally.inputs_percent
        )
    )
    input_parts = property(
        lambda self: engined.input_parts(self.task) if self.task.state else self.tally.input_parts
    )
    latest = property(lambda self: self.tally.latest)
