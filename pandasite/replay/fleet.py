"""Pilots on a virtual clock: they claim, run, send heartbeats and report, through the services.

A pilot here is a slot of a site. What happens at a site at one moment is said at once, as a pilot
factory would: one claim for all free slots, one set of heartbeats for all that runs.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from jobs import dispatch, report
from jobs.dispatch import N_JOBS_MAX
from jobs.report import Answer, Report
from pandasite.base.errors import DomainError
from pandasite.replay.grid import Place
from pandasite.replay.work import Work, number_of

LEASE_PART = 0.7  # of a lease goes by between two heartbeats of a site
LARGE = 2**31 - 1  # of whatever a job asks for
HEARD_AT_ONCE = 500


class Held(NamedTuple):
    """A job with a pilot. `end` is in seconds after the start of the replay."""

    end: float
    panda_id: int
    place: int
    number: int
    attempt_nr: int
    token: str
    cores: int


@dataclass(kw_only=True)
class Fleet:
    """All pilots of a grid. What it did is counted by PandaID: the replay is judged by that."""

    work: Work
    places: Sequence[Place]
    claimed: Counter[int] = field(default_factory=Counter)
    ended: Counter[int] = field(default_factory=Counter)
    busy: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # core s
    refused: list[str] = field(default_factory=list)
    waiting: Counter[int] = field(default_factory=Counter)  # activated jobs by site, or more
    heartbeats: int = 0
    claims: int = 0
    _running: list[Held] = field(default_factory=list)
    _at: list[dict[int, Held]] = field(default_factory=list)
    _used: list[int] = field(default_factory=list)
    _said: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    _beat_at: list[float] = field(default_factory=list)
    _runs: dict[int, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.places)
        self._at = [{} for _ in range(n)]
        self._used = [0] * n
        self._beat_at = [self.beat_seconds * (nr + 1) / n for nr in range(n)]
        self._runs = {job.number: (job.run, job.cores) for job in self.work.jobs}

    @property
    def beat_seconds(self) -> float:
        """Between two heartbeats of a site."""
        return LEASE_PART * float(settings.PANDASITE["LEASE_SECONDS"])

    @property
    def running(self) -> int:
        """Jobs that pilots hold."""
        return len(self._running)

    def next_at(self) -> float | None:
        """When the next job ends; None when none runs."""
        return self._running[0].end if self._running else None

    def end_due(self, seconds: float) -> int:
        """The final word on each job that has run by then, at its own moment; how many."""
        n = 0
        while self._running and self._running[0].end <= seconds:
            job = heapq.heappop(self._running)
            self._at[job.place].pop(job.panda_id)
            self._used[job.place] -= job.cores
            self._end(job)
            n += 1
        return n

    def _end(self, job: Held) -> None:
        run, cores = self._runs[job.number]
        said = self._word(job, "finished", cpu_consumption_time=round(run * cores), exit_code=0)
        if self._hear(job, said, now=self.work.at(job.end)):
            self.ended[job.panda_id] += 1
            self.busy[self.places[job.place].name] += run * cores

    def beat_due(self, seconds: float) -> None:
        """The heartbeats of the sites whose turn it is."""
        now = self.work.at(seconds)
        for nr, due in enumerate(self._beat_at):
            if due <= seconds:
                self._beat_at[nr] = seconds + self.beat_seconds
                jobs = list(self._at[nr].values())
                for start in range(0, len(jobs), HEARD_AT_ONCE):
                    self._beat(nr, jobs[start : start + HEARD_AT_ONCE], now)

    def _beat(self, place: int, jobs: Sequence[Held], now: dt.datetime) -> None:
        said = [self._word(job, "running") for job in jobs]
        answers = report.hear_all(caller=self.places[place].caller, reports=said, now=now)
        self.heartbeats += len(said)
        for job, answer in zip(jobs, answers, strict=True):
            if not isinstance(answer, Answer):
                self.refused.append(f"heartbeat of {job.panda_id}: {answer}")

    def look(self) -> int:
        """Count the jobs that wait at each site; returns how many there are."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT computing_site_id, count(*) FROM jobs_job WHERE state = 'activated'"
                " GROUP BY 1"
            )
            self.waiting = Counter(dict(cursor.fetchall()))
        return self.waiting.total()

    def claim_due(self, seconds: float) -> int:
        """Each site with free slots and jobs that wait asks for them; returns how many it got."""
        return sum(
            self._claim(nr, place, seconds)
            for nr, place in enumerate(self.places)
            if self.waiting[place.caller.site_id] and self._used[nr] < place.slots
        )

    def _claim(self, nr: int, place: Place, seconds: float) -> int:
        free = place.slots - self._used[nr]
        key, now = place.caller.site_id, self.work.at(seconds)
        self.claims += 1
        claimed = dispatch.claim(
            caller=place.caller,
            facts=dispatch.Facts(
                node=place.nodes[self.claims % len(place.nodes)],
                pilot_id=f"replay-{place.name}",
                factory="replay",
                cpu_speed_mhz=LARGE,
                memory_mb=LARGE,
                free_disk_mb=LARGE,
                core_count=free,
                labels=("managed", "test"),
            ),
            key=f"replay-{self.claims}",
            body_sha256="",
            n_jobs=min(free, self.waiting[key], N_JOBS_MAX),
            now=now,
        )
        if not claimed.jobs:
            self.waiting[key] = 0  # what waits needs more cores than are free, or is gone
        for job in claimed.jobs:
            self._begin(nr, job, seconds)
        self.waiting[key] = max(0, self.waiting[key] - len(claimed.jobs))
        return len(claimed.jobs)

    def _begin(self, place: int, job: Mapping[str, Any], seconds: float) -> None:
        number = number_of(job["job_name"])
        run, cores = self._runs[number]
        held = Held(
            end=seconds + run,
            panda_id=job["panda_id"],
            place=place,
            number=number,
            attempt_nr=job["attempt_nr"],
            token=job["lease_token"],
            cores=cores,
        )
        self.claimed[held.panda_id] += 1
        self._said[held.panda_id] = 0
        if self._hear(held, self._word(held, "running"), now=self.work.at(seconds)):
            heapq.heappush(self._running, held)
            self._at[place][held.panda_id] = held
            self._used[place] += cores

    def _word(self, job: Held, state: str, **more: Any) -> Report:
        self._said[job.panda_id] += 1
        return Report(
            panda_id=job.panda_id,
            attempt_nr=job.attempt_nr,
            lease_token=job.token,
            seq=self._said[job.panda_id],
            state=state,
            **more,
        )

    def _hear(self, job: Held, said: Report, *, now: dt.datetime) -> bool:
        try:
            report.hear(caller=self.places[job.place].caller, report=said, now=now)
        except DomainError as error:
            self.refused.append(f"{said.state} of {job.panda_id}: {error}")
            return False
        return True
