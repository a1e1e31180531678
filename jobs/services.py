"""The verbs of jobs: with jobs/bulk.py the only code that writes a job's state.

Each move is one conditional update and one event row in one transaction. A caller that lost a
race gets fewer PandaIDs back than it asked for, or IllegalMove where exactly one was meant.
Rows are locked in the order job, files, dataset, PandaIDs ascending.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from jobs import errors
from jobs.errors import Error
from jobs.history import record_moves
from jobs.models import Job, JobColumns, JobFile
from jobs.models.job import JobQuerySet
from jobs.pulse import folded, hold_with_jobs
from jobs.refusals import already_final, not_live
from jobs.states import FINAL, LEASED, QUEUED, JobState, legal, since
from jobs.successors import make_successors
from pandasite.base.errors import IllegalMove
from pandasite.base.nudge import nudge

# Columns of a lease that has ended. Its hash stays, so that a repeated last word is recognised.
UNLEASED: dict[str, Any] = {"lease_until": None}
# Columns of a lease that is taken away: nothing its pilot says counts any more.
REVOKED: dict[str, Any] = {"lease_until": None, "lease_sha256": "", "pilot": None, "report_seq": 0}
# What was measured of an attempt that is void.
VOID: dict[str, Any] = {"cpu_consumption_time": 0, "max_rss_mb": 0, "trans_exit_code": None}
UNCOMMANDED: dict[str, Any] = {"command": "", "command_attempt": 0, "command_reason": ""}


def move(
    jobs: JobQuerySet,
    to: JobState,
    *,
    actor: str,
    now: dt.datetime,
    reason: dict[str, Any] | None = None,
    reasons: Mapping[int, dict[str, Any]] | None = None,
    only_from: Collection[JobState] | None = None,
    **changes: Any,
) -> list[int]:
    """Move those of `jobs` that may go to `to`; returns their PandaIDs, ascending.

    The events say `reason`, or by PandaID what is in `reasons`.

    Rows that another transaction holds are left to it: every caller is a sweep that comes
    again, or checks that its one job is in the answer.
    """
    allowed = [state for state in since(to) if only_from is None or state in only_from]
    with transaction.atomic():
        rows = list(
            jobs.filter(state__in=allowed)
            .order_by("panda_id")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("panda_id", "state", "attempt_nr", "event_seq")
        )
        moved = [row[0] for row in rows]
        if moved:
            held = any(row[1] in LEASED for row in rows)
            _write(moved, to, held=held, now=now, changes=changes)
            why = reasons or {}
            said = [why.get(panda_id, reason or {}) for panda_id in moved]
            record_moves(rows, to, actor=actor, now=now, reasons=said)
            if to in (JobState.FAILED, JobState.CANCELLED):
                _give_up_outputs(moved)
    return moved


def _write(
    panda_ids: Sequence[int],
    to: JobState,
    *,
    held: bool,
    now: dt.datetime,
    changes: dict[str, Any],
) -> None:
    """`held`: some of them are with a pilot, and have a pulse."""
    columns: dict[str, Any] = {} if to in LEASED else UNLEASED | (folded() if held else {})
    if to in FINAL:
        columns |= {"end_time": now} | UNCOMMANDED
    Job.objects.filter(panda_id__in=panda_ids).update(
        **(columns | changes),
        state=to,
        event_seq=F("event_seq") + 1,
        state_change_time=now,
        modification_time=now,
    )


def _give_up_outputs(panda_ids: Sequence[int]) -> None:
    """What a job has not made by its end, it will not make."""
    owed = JobFile.objects.filter(job__in=panda_ids, type=JobFile.Type.OUTPUT)
    owed.exclude(status=JobFile.Status.READY).update(status=JobFile.Status.FAILED)


def _some(panda_ids: Collection[int]) -> JobQuerySet:
    return Job.objects.filter(panda_id__in=panda_ids)


def must_move(job: Job, to: JobState, *, actor: str, now: dt.datetime, **changes: Any) -> None:
    """Move exactly this job, which the caller has locked; IllegalMove when it may not."""
    if not move(Job.objects.filter(pk=job.pk), to, actor=actor, now=now, **changes):
        raise illegal(job, to)


def all_must_move(
    panda_ids: Collection[int], to: JobState, *, actor: str, now: dt.datetime, **changes: Any
) -> None:
    """Move exactly these jobs, which the caller has locked; IllegalMove when one may not."""
    if not panda_ids:
        return
    moved = move(_some(panda_ids), to, actor=actor, now=now, **changes)
    for job in _some(set(panda_ids) - set(moved)):
        raise illegal(job, to)


def illegal(job: JobColumns, to: str) -> IllegalMove:
    """The refusal of a move, with the moves that there are."""
    legal_list = legal(JobState(job.state))
    facts: dict[str, Any] = {"from": str(job.state), "to": to, "legal": legal_list}
    return IllegalMove(
        f"job {job.pk} is {job.state}, it may not become {to}"
        f" (legal: {', '.join(legal_list) or 'none, the state is final'})",
        **facts,
    )


# -- brokerage and input ---------------------------------------------------------------------


def wake(panda_ids: Collection[int], *, now: dt.datetime) -> list[int]:
    """waiting -> defined: all input is known now."""
    moved = move(
        _some(panda_ids),
        JobState.DEFINED,
        actor="brokerage",
        now=now,
        only_from=[JobState.WAITING],
        reason={"input": "known"},
    )
    if moved:
        nudge("jobs.assign")
    return moved


def activate(panda_ids: Collection[int], *, now: dt.datetime) -> list[int]:
    """assigned -> activated: all input is at the site."""
    with transaction.atomic():
        moved = move(
            _some(panda_ids),
            JobState.ACTIVATED,
            actor="ddm",
            now=now,
            only_from=[JobState.ASSIGNED],
            reason={"input": "at the site"},
        )
        JobFile.objects.filter(job__in=moved, type=JobFile.Type.INPUT).update(
            status=JobFile.Status.READY
        )
    return moved


def rebroker(
    jobs: JobQuerySet, *, actor: str, now: dt.datetime, reason: dict[str, Any], **changes: Any
) -> list[int]:
    """assigned/activated -> defined: forget the site, unless the submitter named it."""
    again: dict[str, Any] = {"rebroker_count": F("rebroker_count") + 1, "dispatch_d_block": ""}
    with transaction.atomic():
        moved = move(
            jobs,
            JobState.DEFINED,
            actor=actor,
            now=now,
            only_from=[JobState.ASSIGNED, JobState.ACTIVATED],
            reason=reason,
            **(again | changes),
        )
        _some(moved).filter(site_fixed=False).update(computing_site=None)
        _some(moved).filter(site_fixed=False, cloud_fixed=False).update(cloud=None)
        JobFile.objects.filter(job__in=moved, type=JobFile.Type.INPUT).update(
            status=JobFile.Status.PENDING, block=None
        )
    if moved:
        nudge("jobs.assign")
    return moved


# -- the end ---------------------------------------------------------------------------------


def requeue(
    jobs: JobQuerySet, *, error: Error, actor: str, now: dt.datetime
) -> tuple[list[int], list[int]]:
    """A lost pilot: back to activated while attempts are left, else failed with `error`.

    Returns (re-queued, failed); the lease is revoked in the same update.
    """
    again = jobs.filter(attempt_nr__lt=F("max_attempt"), command="")
    requeued = move(
        again,
        JobState.ACTIVATED,
        actor=actor,
        now=now,
        only_from=LEASED,
        reason=error.as_reason(),
        queued_since=now,
        node="",
        start_time=None,
        **VOID,
        **REVOKED,
    )
    worn_out = jobs.filter(attempt_nr__gte=F("max_attempt"), command="")
    return requeued, fail(worn_out, error, actor=actor, now=now, only_from=LEASED)


def fail(
    jobs: JobQuerySet,
    error: Error,
    *,
    actor: str,
    now: dt.datetime,
    only_from: Collection[JobState] | None = None,
) -> list[int]:
    """Fail jobs with one more error on them; successors are made where a retry makes sense."""
    with transaction.atomic():
        moved = move(
            jobs,
            JobState.FAILED,
            actor=actor,
            now=now,
            only_from=only_from,
            reason=error.as_reason(),
            **error.columns(),
        )
        make_successors(moved, now=now)
    return moved


def fail_as_reported(jobs: Sequence[Job], *, actor: str, now: dt.datetime) -> None:
    """holding -> failed: the pilots said so, and their errors are on the jobs already."""
    reasons = {job.pk: {"errors": [list(error) for error in job.errors()]} for job in jobs}
    all_must_move(reasons.keys(), JobState.FAILED, actor=actor, now=now, reasons=reasons)
    make_successors(reasons.keys(), now=now)


def cancel_killed(
    jobs: JobQuerySet, *, actor: str, now: dt.datetime, why: str, **changes: Any
) -> list[int]:
    """-> cancelled, with taskBuffer 100 and the reason that was given."""
    return move(
        jobs,
        JobState.CANCELLED,
        actor=actor,
        now=now,
        reason={"reason": why},
        **errors.KILLED.said(why).columns(),
        **changes,
    )


def kill(job_id: int, *, actor: str, reason: str, now: dt.datetime) -> str:
    """Kill a job; returns its state afterwards.

    Before it runs it is cancelled at once. With a pilot it gets the command `tobekilled` for
    this attempt, which rides on the pilot's next answer. Conflict when it is past that.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=job_id).first()
        if job is None:
            raise not_live(job_id)
        if job.state in QUEUED:
            cancel_killed(Job.objects.filter(pk=job_id), actor=actor, now=now, why=reason)
            return JobState.CANCELLED
        if job.state in FINAL:
            raise already_final(job)
        if job.state not in LEASED:
            raise illegal(job, JobState.CANCELLED)
        order_end(Job.objects.filter(pk=job_id), reason=f"{actor}: {reason}", now=now)
        return job.state


def order_end(jobs: JobQuerySet, *, reason: str, now: dt.datetime) -> int:
    """Give the pilots of these jobs the command to end them, for this attempt; returns how many.

    Their reason becomes the error's words once they are cancelled: they may still finish first.
    """
    with transaction.atomic():
        return _some(hold_with_jobs(jobs.filter(state__in=LEASED))).update(
            command="tobekilled",
            command_attempt=F("attempt_nr"),
            command_reason=reason[:500],
            modification_time=now,
        )
