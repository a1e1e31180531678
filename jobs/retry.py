"""Trying failed jobs again because somebody wants it: when the cause has been mended.

A failed job whose error allows it has had its successor when it failed (jobs/successors.py). This
is for the others: those whose attempts are used up, or whose error forbids a retry by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from jobs.models import AnyJob, AnyJobFile, Job, JobFile
from jobs.states import JobState
from jobs.successors import succeed
from pandasite.base import audit
from pandasite.base.nudge import nudge

MOST = 500  # jobs at once
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(20090921, hashtext('jobs.retry'))"


@dataclass
class Retried:
    """What became of each: PandaID of the failed job -> of its successor, or why there is none."""

    successors: dict[int, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


def retry(
    panda_ids: Collection[int], *, user: User, reason: str, now: dt.datetime, subject: str = ""
) -> Retried:
    """A successor for each of these failed jobs, live or ended, with one attempt more if need be.

    An audit line with the outcome tells who wanted it and why; `subject` is what it says it was
    about. What cannot be tried again is in `refused`, and stops nobody else.
    """
    result = Retried()
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two at once would both find no successor of a job that is in the archive.
            cursor.execute(_ONE_AT_A_TIME)
        found = {job.pk: job for job in AnyJob.objects.filter(pk__in=panda_ids)}
        succeeded = _succeeded(found)
        for panda_id in sorted(panda_ids):
            job = found.get(panda_id)
            if why := _refusal(job, succeeded.get(panda_id)):
                result.refused[panda_id] = why
            elif job is not None:
                _retry(job, result, user=user, reason=reason, now=now)
        audit.record(
            actor=user,
            action="job_retry",
            subject=subject or f"{len(panda_ids)} jobs",
            reason=reason,
            now=now,
            facts={"successors": result.successors, "refused": result.refused},
        )
    if result.successors:
        nudge("jobs.wake")
    return result


def retriable(panda_ids: Collection[int]) -> list[int]:
    """Those of them that `retry` would try again, as far as can be told before."""
    found = {job.pk: job for job in AnyJob.objects.filter(pk__in=panda_ids)}
    succeeded = _succeeded(found)
    return [pk for pk, job in sorted(found.items()) if not _refusal(job, succeeded.get(pk))]


def _succeeded(panda_ids: Iterable[int]) -> dict[int, int]:
    """Failed job -> successor, of those that have one."""
    successors = AnyJob.objects.filter(retry_of__in=[*panda_ids]).order_by()
    return {old: new for old, new in successors.values_list("retry_of", "pk") if old}


def _refusal(job: AnyJob | None, successor: int | None) -> str:
    if job is None:
        return "there is no such job"
    if job.state != JobState.FAILED:
        return f"it is {job.state}, only failed jobs are tried again"
    return f"job {successor} has tried it again already" if successor else ""


def _retry(job: AnyJob, result: Retried, *, user: User, reason: str, now: dt.datetime) -> None:
    files = AnyJobFile.objects.filter(job=job.pk, shelf=job.shelf).exclude(type=JobFile.Type.LOG)
    try:
        with transaction.atomic():
            successor: Job = succeed(
                job,
                attempt_nr=job.attempt_nr,
                max_attempt=max(job.max_attempt, job.attempt_nr + 1),
                files=files.order_by("pk"),
                actor=user.get_username(),
                reason=reason,
                now=now,
            )
    except IntegrityError:
        # jobs/outputs.py: no two live jobs make one file; or the watchdog was quicker
        result.refused[job.pk] = "another job makes its outputs by now"
        return
    result.successors[job.pk] = successor.pk
