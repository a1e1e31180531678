"""Attempts side by side: a failed job, what it succeeded, and what succeeded it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from jobs.models import AnyJob
from jobs.pulse import overlaid
from monitor.jobcolumns import Error, errors_of
from monitor.words import span

MOST = 12  # jobs of a chain: as many columns as a page has room for
RELATED = ("computing_site", "cloud", "vo", "task")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A job of the chain."""

    job: AnyJob
    errors: Sequence[Error]
    here: bool

    @property
    def wall(self) -> str:
        """From the start of its payload to its end."""
        return _between(self.job.start_time, self.job.end_time)

    @property
    def waited(self) -> str:
        """From its birth to the start of its payload."""
        return _between(self.job.creation_time, self.job.start_time)

    @property
    def cpu(self) -> str:
        return span(self.job.cpu_consumption_time) if self.job.cpu_consumption_time else ""

    @property
    def lost(self) -> str:
        """The CPU time that went for nothing."""
        return self.cpu if self.job.state == "failed" else ""

    def as_json(self) -> dict[str, Any]:
        """The facts for programs."""
        return {
            "panda_id": self.job.pk,
            "state": self.job.state,
            "site": self.job.computing_site.name if self.job.computing_site else None,
            "node": self.job.node,
            "attempt_nr": self.job.attempt_nr,
            "errors": [error.name for error in self.errors],
        }


def _between(since: dt.datetime | None, until: dt.datetime | None) -> str:
    return span((until - since).total_seconds()) if since and until else ""


def chain_of(job: AnyJob) -> list[Link]:
    """All tries of the same work, first to last; only this job where it was never tried again."""
    known = AnyJob.objects.select_related(*RELATED).defer("job_parameters")
    before = _follow(job, lambda one: known.known(one.retry_of) if one.retry_of else None)
    behind = _follow(job, lambda one: known.successor_of(one.pk) if one.state == "failed" else None)
    jobs = overlaid([*reversed(before), job, *behind])
    return [Link(job=one, errors=errors_of(one), here=one.pk == job.pk) for one in jobs]


def _follow(job: AnyJob, step: Callable[[AnyJob], QuerySet[AnyJob] | None]) -> list[AnyJob]:
    found: list[AnyJob] = []
    while len(found) < MOST and (where := step(found[-1] if found else job)) is not None:
        one = where.first()
        if one is None:
            break
        found.append(one)
    return found
