"""Lets the jobs of a log in, each at its moment and once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from brokerage.models import VO
from jobs import identity, submit
from jobs.models import AnyJob, Task
from jobs.submit import MAX_JOBS, JobSpec
from pandasite.replay.grid import VO_NAME
from pandasite.replay.work import Job, Work, name_of, number_of


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What the pilots run; it is given the seconds that it takes."""

    transformation: str = "sleep.py"
    release: str = ""
    cmt_config: str = ""
    vo: str = VO_NAME


@dataclass(kw_only=True)
class Entry:
    """Submits what is due, in the order of the log. `run` names the replay, and so its tasks.

    `entered` are the numbers in the log of the jobs that are in.
    """

    work: Work
    payload: Payload
    run: str = "swf"
    entered: set[int] = field(default_factory=set)
    _next: int = 0
    _people: dict[str, User] = field(default_factory=dict)
    _vo: VO | None = None

    @property
    def is_over(self) -> bool:
        """Whether all jobs are in."""
        return self._next == len(self.work.jobs)

    @property
    def next_at(self) -> float:
        """When the next job is due, in seconds after the start."""
        return self.work.jobs[self._next].submit

    def resume(self) -> int:
        """Take note of what a replay of this name has let in already; returns how many jobs."""
        tasks = Task.objects.filter(name__startswith=f"{self.run}.").values_list("pk", flat=True)
        there = AnyJob.objects.filter(task__in=list(tasks)).order_by()
        self.entered |= set(map(number_of, there.values_list("job_name", flat=True)))
        self._skip()
        return len(self.entered)

    def _skip(self) -> None:
        while not self.is_over and self.work.jobs[self._next].number in self.entered:
            self._next += 1

    def come_in(self, now: dt.datetime) -> None:
        """What was let in is submitted: here it is at once."""

    def let_in(self, seconds: float, *, now: dt.datetime) -> int:
        """Submit all jobs that are due by then; returns how many."""
        begin = self._next
        while not self.is_over and self.next_at <= seconds:
            self._next += 1
        due = [j for j in self.work.jobs[begin : self._next] if j.number not in self.entered]
        self._skip()
        for jobs in alike(due):
            self._submit(jobs, now)
            self.entered.update(job.number for job in jobs)
        return len(due)

    def _submit(self, jobs: Sequence[Job], now: dt.datetime) -> None:
        user = jobs[0].user
        if user not in self._people:
            self._people[user] = identity.person(user)
        submit.submit(
            owner=self._people[user],
            specs=[self._spec(job) for job in jobs],
            key="",
            body_sha256="",
            now=now,
        )

    def _spec(self, job: Job) -> JobSpec:
        if self._vo is None:
            self._vo = VO.objects.get_or_create(name=self.payload.vo)[0]
        return JobSpec(
            fields={
                "job_name": name_of(job.number),
                "job_definition_id": job.number,
                "prod_source_label": "managed",
                "processing_type": "replay",
                "transformation": self.payload.transformation,
                "job_parameters": f"--seconds {job.run:g}",
                "atlas_release": self.payload.release,
                "cmt_config": self.payload.cmt_config,
                "working_group": job.group,
                "core_count": job.cores,
            },
            vo=self._vo,
            task=f"{self.run}.{job.group}",
        )


def alike(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """The jobs of each user in each group, as many as may be submitted at once."""
    of: defaultdict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        of[job.user, job.group].append(job)
    for key in sorted(of):
        for start in range(0, len(of[key]), MAX_JOBS):
            yield of[key][start : start + MAX_JOBS]
