"""The verbs of jobs for many at once, each row with columns of its own.

This and jobs/services.py, whose rules hold here too, are the only code that writes a job's state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from brokerage.models import Site
from jobs.states import JobState


class Assignment(NamedTuple):
    """Where a defined job goes: to assigned (input has to move), or to activated (it is there)."""

    panda_id: int
    to: JobState
    site: Site
    decision: int  # key of the BrokerageDecision
    dispatch_block: str = ""


# The columns are those of services.move for a move without a lease; an event for each.
_ASSIGN = """
WITH placed AS (
  SELECT * FROM unnest(%(panda_ids)s::bigint[], %(states)s::text[], %(site_ids)s::bigint[],
    %(cloud_ids)s::bigint[], %(sites)s::text[], %(decisions)s::bigint[], %(blocks)s::text[])
    AS p(panda_id, state, site_id, cloud_id, site, decision, block)
), moved AS (
  UPDATE jobs_job j SET state = p.state, computing_site_id = p.site_id, cloud_id = p.cloud_id,
    decision_id = p.decision, dispatch_d_block = p.block, lease_until = NULL,
    event_seq = event_seq + 1, state_change_time = %(now)s, modification_time = %(now)s
  FROM placed p WHERE j.panda_id = p.panda_id AND j.state = 'defined'
  RETURNING j.panda_id, j.event_seq, j.attempt_nr, p.state, p.site, p.decision, p.block
)
INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
SELECT panda_id, event_seq, attempt_nr, 'defined', state, 'brokerage', %(now)s,
  jsonb_build_object('site', site, 'decision', decision, 'dispatchDBlock', block)
FROM moved RETURNING job_id
"""


def assign(assignments: Sequence[Assignment], *, now: dt.datetime) -> list[int]:
    """defined -> assigned or activated; returns the PandaIDs that moved, ascending.

    The caller holds the rows: this statement locks in whatever order it likes.
    """
    if not assignments:
        return []
    values: dict[str, Any] = {
        "panda_ids": [one.panda_id for one in assignments],
        "states": [one.to.value for one in assignments],
        "site_ids": [one.site.pk for one in assignments],
        "cloud_ids": [one.site.cloud_id for one in assignments],
        "sites": [one.site.name for one in assignments],
        "decisions": [one.decision for one in assignments],
        "blocks": [one.dispatch_block for one in assignments],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGN, values)
        return sorted(panda_id for (panda_id,) in cursor.fetchall())
