"""Pulses: bringing jobs up to date with them, and moving the watchdog's dates on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import connection
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from jobs.models import Pulse
from jobs.models.job import JobQuerySet
from jobs.states import LEASED
from pandasite.base import inorder

# The columns of a job that its pulse knows better, and what they are called there.
NEWER = {
    "report_seq": "report_seq",
    "modification_time": "heard_at",
    "lease_until": "lease_until",
    "cpu_consumption_time": "cpu_consumption_time",
    "max_rss_mb": "max_rss_mb",
}
RENEWED_AT_ONCE = 5000
T = TypeVar("T")


def overlaid(jobs: Iterable[T]) -> list[T]:
    """The jobs (of a page, not of the table) with what their pilots said last.

    They are for showing: a job that is overlaid must not be saved.
    """
    found: list[Any] = list(jobs)
    held = {job.pk: job for job in found if job.state in LEASED}
    if held:
        for pulse in Pulse.objects.filter(pk__in=held):
            overlay(held[pulse.pk], pulse)
    return found


def overlay(job: Any, pulse: Pulse) -> None:
    """Give a job the columns of its pulse; what touched the job later stays its last touch."""
    touched = job.modification_time
    for column, newer in NEWER.items():
        setattr(job, column, getattr(pulse, newer))
    job.modification_time = max(touched, pulse.heard_at)


def folded() -> dict[str, Any]:
    """Columns for the update that ends a lease: what the pulse knows is kept in the job."""
    mine = Pulse.objects.filter(pk=OuterRef("pk"))
    return {
        column: Coalesce(Subquery(mine.values(column)), F(column))
        for column in ("report_seq", "cpu_consumption_time", "max_rss_mb")
    }


def hold_with_jobs(jobs: JobQuerySet) -> list[int]:
    """Lock jobs, then their pulses, which a change of the jobs writes, in ascending order; their
    PandaIDs."""
    held = inorder.hold(jobs)
    inorder.hold(Pulse.objects.filter(pk__in=held))
    return held


_RENEW = """
WITH late AS MATERIALIZED (
  SELECT job_id, lease_until FROM jobs_pulse WHERE due < %s AND lease_until > due
  ORDER BY due LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE jobs_pulse p SET due = late.lease_until FROM late WHERE p.job_id = late.job_id
"""


def renew(now: dt.datetime) -> int:
    """Move the dates on that have come due though the lease was renewed; returns how many.

    Each job has one such date a lease: with 600,000 running and leases of two hours that is a
    hundred rows a second, whatever the number of heartbeats and the pace of the watchdog.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [now, RENEWED_AT_ONCE])
        return int(cursor.rowcount)
