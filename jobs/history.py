"""A job's history: one event row per state change, written in the transaction of the change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from jobs.models import Job, JobEvent
from jobs.states import JobState
from pandasite.base.copying import NewRows


def record_birth(jobs: Sequence[Job], *, actor: str, reason: dict[str, Any]) -> None:
    """The first event of new jobs: from nothing into the state they were created in."""
    JobEvent.objects.bulk_create(
        JobEvent(
            job=job,
            seq=job.event_seq,
            attempt_nr=job.attempt_nr,
            to_state=job.state,
            actor=actor,
            at=job.creation_time,
            reason=reason,
        )
        for job in jobs
    )


def record_births(
    panda_ids: Sequence[int], states: Sequence[JobState], *, actor: str, now: dt.datetime
) -> None:
    """The same for many new jobs that have not been tried yet: attempt 0, event 1."""
    rows = NewRows(
        JobEvent, ("job_id", "to_state"), seq=1, attempt_nr=0, actor=actor, at=now, reason={}
    )
    rows.insert([(p, state.value) for p, state in zip(panda_ids, states, strict=True)])


def record_moves(
    rows: Sequence[tuple[int, str, int, int]],
    to: JobState,
    *,
    actor: str,
    now: dt.datetime,
    reason: dict[str, Any],
) -> None:
    """One event each; `rows` are (PandaID, state before, attempt, number of its last event)."""
    JobEvent.objects.bulk_create(
        JobEvent(
            job_id=panda_id,
            seq=seq + 1,
            attempt_nr=attempt,
            from_state=state,
            to_state=to,
            actor=actor,
            at=now,
            reason=reason,
        )
        for panda_id, state, attempt, seq in rows
    )
