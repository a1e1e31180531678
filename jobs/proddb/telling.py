"""What Bamboo answers in prodDB, with a line in the outbox for each state that it writes.

Whoever was killed between this and the note of it in our own database writes the same again. The
rows are then what they are already, and the outbox has each change once, by its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jobs.proddb.session import work
from jobs.proddb.states import UNDER_WAY, ProdState

REASON_MAX = 2000


class JobNews(NamedTuple):
    """What has become of a definition's job; `seq`: the number of its last event."""

    definition_id: int
    panda_id: int
    seq: int
    state: ProdState
    panda_state: str
    reason: str = ""


class TaskNews(NamedTuple):
    """What has become of a task; `seq`: the number of this change, given by us."""

    request_id: int
    task_id: int | None
    seq: int
    state: ProdState
    cloud: str = ""
    jobs_total: int = 0
    jobs_finished: int = 0
    jobs_failed: int = 0
    files_done: int = 0
    reason: str = ""


# TOBEABORTED gives way to an end only, and then to ABORTED, unless all of it was made after all.
_RESULT = """
CASE WHEN d.state = 'TOBEABORTED' AND s.state = ANY(%(under_way)s) THEN d.state
  WHEN d.state = 'TOBEABORTED' AND s.state = 'FAILED' THEN 'ABORTED' ELSE s.state END
"""
_WRITE_JOBS = f"""
WITH written AS (
  UPDATE proddb_jobdefinition d SET state = {_RESULT}, reason = s.reason, panda_id = s.panda_id,
    panda_state = s.panda_state, written_at = clock_timestamp()
  FROM unnest(%(ids)s::bigint[], %(panda_ids)s::bigint[], %(states)s::text[],
    %(panda_states)s::text[], %(reasons)s::text[])
    AS s (id, panda_id, state, panda_state, reason)
  WHERE d.definition_id = s.id
  RETURNING d.definition_id, d.state
)
INSERT INTO proddb_statechange (kind, subject_id, panda_id, seq, state, panda_state, reason, at)
SELECT 'job', w.definition_id, s.panda_id, s.seq, w.state, s.panda_state, s.reason,
  clock_timestamp()
FROM written w JOIN unnest(%(ids)s::bigint[], %(panda_ids)s::bigint[], %(seqs)s::int[],
  %(panda_states)s::text[], %(reasons)s::text[])
  AS s (id, panda_id, seq, panda_state, reason) ON s.id = w.definition_id
ORDER BY w.definition_id
ON CONFLICT (kind, subject_id, panda_id, seq) WHERE seq > 0 DO NOTHING
"""


def write_jobs(news: Sequence[JobNews]) -> None:
    """Write the states of these jobs: one transaction, two statements whatever their number."""
    if not news:
        return
    values = {
        "ids": [one.definition_id for one in news],
        "panda_ids": [one.panda_id for one in news],
        "seqs": [one.seq for one in news],
        "states": [one.state.value for one in news],
        "panda_states": [one.panda_state for one in news],
        "reasons": [one.reason[:REASON_MAX] for one in news],
        "under_way": [state.value for state in UNDER_WAY],
    }
    with work() as cursor:
        cursor.execute(_WRITE_JOBS, values)


_WRITE_TASKS = f"""
WITH given AS (
  SELECT * FROM unnest(%(ids)s::bigint[], %(task_ids)s::bigint[], %(seqs)s::int[],
    %(states)s::text[], %(clouds)s::text[], %(total)s::int[], %(finished)s::int[],
    %(failed)s::int[], %(files)s::int[], %(reasons)s::text[])
    AS s (id, task_id, seq, state, cloud, total, finished, failed, files, reason)
), written AS (
  UPDATE proddb_taskrequest d SET state = {_RESULT}, reason = s.reason, task_id = s.task_id,
    given_cloud = s.cloud, jobs_total = s.total, jobs_finished = s.finished,
    jobs_failed = s.failed, files_done = s.files, written_at = clock_timestamp()
  FROM given s WHERE d.request_id = s.id
  RETURNING d.request_id, d.state
)
INSERT INTO proddb_statechange (kind, subject_id, panda_id, seq, state, panda_state, reason, at)
SELECT 'task', w.request_id, 0, s.seq, w.state, '', s.reason, clock_timestamp()
FROM written w JOIN given s ON s.id = w.request_id ORDER BY w.request_id
ON CONFLICT (kind, subject_id, panda_id, seq) WHERE seq > 0 DO NOTHING
"""


def write_tasks(news: Sequence[TaskNews]) -> None:
    """Write the states of these tasks in one statement."""
    if not news:
        return
    values = {
        "ids": [one.request_id for one in news],
        "task_ids": [one.task_id for one in news],
        "seqs": [one.seq for one in news],
        "states": [one.state.value for one in news],
        "clouds": [one.cloud for one in news],
        "total": [one.jobs_total for one in news],
        "finished": [one.jobs_finished for one in news],
        "failed": [one.jobs_failed for one in news],
        "files": [one.files_done for one in news],
        "reasons": [one.reason[:REASON_MAX] for one in news],
        "under_way": [state.value for state in UNDER_WAY],
    }
    with work() as cursor:
        cursor.execute(_WRITE_TASKS, values)


# Only from TOBEDONE: what production wants aborted meanwhile is aborted. So it is done once, and
# the outbox needs no key for it.
_REFUSE = """
WITH refused AS (
  UPDATE {table} d SET state = 'REFUSED', reason = s.reason, written_at = clock_timestamp()
  FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS s (id, reason)
  WHERE d.{key} = s.id AND d.state = 'TOBEDONE' RETURNING d.{key} AS id, d.reason
)
INSERT INTO proddb_statechange (kind, subject_id, panda_id, seq, state, panda_state, reason, at)
SELECT '{kind}', id, 0, 0, 'REFUSED', '', reason, clock_timestamp() FROM refused ORDER BY id
RETURNING subject_id
"""


def refuse_tasks(reasons: Mapping[int, str]) -> list[int]:
    """Answer requests that make no sense with their reasons; the numbers of those that were."""
    return _refuse("proddb_taskrequest", "request_id", "task", reasons)


def refuse_definitions(reasons: Mapping[int, str]) -> list[int]:
    """The same for job definitions."""
    return _refuse("proddb_jobdefinition", "definition_id", "job", reasons)


def _refuse(table: str, key: str, kind: str, reasons: Mapping[int, str]) -> list[int]:
    if not reasons:
        return []
    sql = _REFUSE.format(table=table, key=key, kind=kind)
    values = {"ids": [*reasons], "reasons": [text[:REASON_MAX] for text in reasons.values()]}
    with work() as cursor:
        cursor.execute(sql, values)
        return sorted(row[0] for row in cursor.fetchall())
