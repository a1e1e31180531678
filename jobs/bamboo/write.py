"""Step 4: write the states of jobs and tasks back, where prodDB has not confirmed them.

First prodDB, then the note here of what it has confirmed. Who is killed between the two writes the
same again, which changes nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction

from jobs.bamboo import sums
from jobs.bamboo.turn import Turn
from jobs.models import AnyJob
from jobs.proddb import door
from jobs.proddb.door import JobNews
from jobs.states import FINAL, JobState
from pandasite.base.models import Patrol

PAGE = 5000
PATROL = "jobs.bamboo.write"  # where the last round stopped
GONE = "its job is not kept any more"


class Change(NamedTuple):
    """A job whose state prodDB has not confirmed; `state` '' : it is not among the live ones."""

    definition_id: int
    panda_id: int
    state: str
    seq: int


# A page of open notes by key, joined with the live jobs: what differs, and where the page ends.
_CHANGED = """
WITH page AS MATERIALIZED (
  SELECT definition_id, panda_id, seq FROM jobs_bamboojob
  WHERE NOT settled AND panda_id > %(after)s ORDER BY panda_id LIMIT %(limit)s
)
SELECT p.definition_id, p.panda_id, coalesce(j.state, ''), coalesce(j.event_seq, 0)
FROM page p LEFT JOIN jobs_job j USING (panda_id)
WHERE j.panda_id IS NULL OR j.event_seq <> p.seq
UNION ALL SELECT 0, coalesce(max(panda_id), 0), '', count(*) FROM page
ORDER BY 1
"""
_OF_THESE = """
SELECT n.definition_id, n.panda_id, coalesce(j.state, ''), coalesce(j.event_seq, 0)
FROM jobs_bamboojob n LEFT JOIN jobs_job j USING (panda_id) WHERE n.definition_id = ANY(%s)
"""
_CONFIRM = """
WITH s AS (
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::bool[])
    AS s (id, panda_id, state, seq, settled)
), noted AS (
  UPDATE jobs_bamboojob n SET state = s.state, seq = s.seq, settled = s.settled
  FROM s WHERE n.definition_id = s.id AND n.panda_id = s.panda_id RETURNING n.request_id
)
UPDATE jobs_bambootask SET stale = true
WHERE NOT stale AND request_id IN (SELECT request_id FROM noted)
"""
# Whoever tried a failed job again by hand made a job that its definition follows from now on.
_FOLLOW = """
UPDATE jobs_bamboojob n SET panda_id = j.panda_id, seq = 0, settled = false
FROM jobs_job j WHERE j.retry_of IS NOT NULL AND n.panda_id = j.retry_of
"""
_FOLLOW_THESE = """
UPDATE jobs_bamboojob n SET panda_id = s.after, seq = 0, settled = false
FROM unnest(%s::bigint[], %s::bigint[]) AS s (before, after) WHERE n.panda_id = s.before
"""


def run(turn: Turn) -> int:
    """Jobs, then the sums of their tasks, then tasks; how many states were written."""
    with door.open_session():
        follow()
        _write_open(turn)
        turn.done["written"] += write_tasks(turn)
    return turn.done["written"]


def follow() -> None:
    """Let notes go over to the successors of their jobs, which may have successors themselves."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FOLLOW)
            if not cursor.rowcount:
                return


def _write_open(turn: Turn) -> None:
    """All open notes once, from where the last round stopped: what changes often is in no way."""
    start = Patrol.objects.filter(name=PATROL).values_list("after", flat=True).first() or 0
    after, wrapped = start, start == 0
    while turn.done["written"] < turn.limits.changes and not turn.over:
        changes, last, size = _page(after)
        turn.done["written"] += write(changes)
        after = last
        if size < PAGE:
            if wrapped:
                after = 0
                break
            after, wrapped = 0, True
        elif wrapped and start and after >= start:
            after = 0
            break
    else:
        turn.more = True
    Patrol.objects.update_or_create(name=PATROL, defaults={"after": after, "news_until": turn.now})


def _page(after: int) -> tuple[list[Change], int, int]:
    """Changes of the next page of notes, the key that it came to, and its size."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, {"after": after, "limit": PAGE})
        (_zero, last, _state, size), *rows = cursor.fetchall()
    return [Change(*row) for row in rows], last, size


def write_these(definition_ids: Sequence[int]) -> int:
    """Write these now, confirmed before or not."""
    if not definition_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_OF_THESE, [list(definition_ids)])
        return write([Change(*row) for row in cursor.fetchall()])


def write(changes: Sequence[Change]) -> int:
    """Tell prodDB, and note what it has confirmed; how many were written."""
    known, gone = _with_archived(changes)
    known = _without_followed(known)
    reasons = _reasons([one.panda_id for one in known if one.state == JobState.FAILED])
    reasons |= dict.fromkeys(gone, GONE)
    door.write_jobs([_news(one, reasons) for one in known])
    _confirm(known)
    return len(known)


def _news(one: Change, reasons: dict[int, str]) -> JobNews:
    state = door.OF_JOB[JobState(one.state)]
    return JobNews(
        definition_id=one.definition_id,
        panda_id=one.panda_id,
        seq=one.seq,
        state=state,
        panda_state=one.state,
        reason=reasons.get(one.panda_id, ""),
    )


def _with_archived(changes: Sequence[Change]) -> tuple[list[Change], set[int]]:
    """The changes, with the states of jobs that are in the archive; and which are nowhere."""
    missing = {one.panda_id for one in changes if not one.state}
    rows = AnyJob.objects.filter(panda_id__in=missing)
    ended = {row[0]: row[1:] for row in rows.values_list("panda_id", "state", "event_seq")}
    # One that was thrown away before anybody heard of its end has failed, as far as we can say.
    gone = (JobState.FAILED.value, 1_000_000)
    found = [
        one
        if one.state
        else Change(one.definition_id, one.panda_id, *ended.get(one.panda_id, gone))
        for one in changes
    ]
    return found, missing - ended.keys()


def _without_followed(changes: Sequence[Change]) -> list[Change]:
    """Without failed jobs that are tried again: their notes go over to the successors.

    Those among the live ones `follow` has seen already; an archived one may have an archived one.
    """
    failed = [one.panda_id for one in changes if one.state == JobState.FAILED]
    after = dict(AnyJob.objects.filter(retry_of__in=failed).values_list("retry_of", "panda_id"))
    if not after:
        return list(changes)
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW_THESE, [[*after.keys()], [*after.values()]])
    return [one for one in changes if one.panda_id not in after]


def _reasons(panda_ids: Sequence[int]) -> dict[int, str]:
    """Why jobs failed, in a line each."""
    found = {}
    for job in AnyJob.objects.filter(panda_id__in=panda_ids):
        told = [f"{component} {code}: {diag}" for component, code, diag in job.errors()]
        found[job.panda_id] = "; ".join(told)
    return found


def _confirm(changes: Sequence[Change]) -> None:
    columns: list[Any] = [
        [one.definition_id for one in changes],
        [one.panda_id for one in changes],
        [one.state for one in changes],
        [one.seq for one in changes],
        [one.state in FINAL for one in changes],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CONFIRM, columns)


def write_tasks(turn: Turn) -> int:
    """Sum up the tasks of which something has changed, and tell prodDB of all it has not heard."""
    sums.sum_up(turn)
    written = 0
    while True:
        page = sums.unwritten(PAGE)
        if not page:
            return written
        door.write_tasks(page)
        with transaction.atomic():
            sums.confirm(page)
        written += len(page)
