"""A job's history: one event row per state change, written in the transaction of the change."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

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


_MOVES = """
INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
SELECT job_id, seq + 1, attempt_nr, from_state, %s, %s, %s, reason
FROM unnest(%s::bigint[], %s::text[], %s::integer[], %s::integer[], %s::jsonb[])
  AS m (job_id, from_state, attempt_nr, seq, reason)
"""


def record_moves(
    rows: Sequence[tuple[int, str, int, int]],
    to: JobState,
    *,
    actor: str,
    now: dt.datetime,
    reasons: Sequence[dict[str, Any]],
) -> None:
    """One event each; `rows` are (PandaID, state before, attempt, number of its last event).

    `reasons` are what the events say, in the order of the rows.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    said = [json.dumps(reason) for reason in reasons]
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, [str(to), actor, now, *columns, said])
