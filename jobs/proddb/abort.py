"""What production wants aborted, and the end of what has no job of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.proddb.session import translated, work
from jobs.proddb.states import ProdState

NOT_SUBMITTED = "aborted before it was submitted"


class Wanted(NamedTuple):
    """A definition that is to be aborted, and its task."""

    definition_id: int
    request_id: int


def tasks_to_abort(*, after: int, limit: int) -> list[int]:
    """Requests that production wants aborted."""
    with translated():
        rows = TaskRequest.objects.filter(state=ProdState.TOBEABORTED, request_id__gt=after)
        return list(rows.order_by("request_id").values_list("request_id", flat=True)[:limit])


def jobs_to_abort(*, after: int, limit: int) -> list[Wanted]:
    """Job definitions that production wants aborted."""
    with translated():
        rows = JobDefinition.objects.filter(state=ProdState.TOBEABORTED, definition_id__gt=after)
        found = rows.order_by("definition_id").values_list("definition_id", "request_id")
        return [Wanted(*row) for row in found[:limit]]


_ABORT = """
WITH aborted AS (
  UPDATE {table} SET state = 'ABORTED', reason = %(reason)s, written_at = clock_timestamp()
  WHERE {key} = ANY(%(ids)s) AND state = 'TOBEABORTED' RETURNING {key} AS id
)
INSERT INTO proddb_statechange (kind, subject_id, panda_id, seq, state, panda_state, reason, at)
SELECT '{kind}', id, 0, 0, 'ABORTED', '', %(reason)s, clock_timestamp() FROM aborted ORDER BY id
RETURNING subject_id
"""


def abort_tasks(request_ids: Sequence[int]) -> list[int]:
    """TOBEABORTED -> ABORTED, for requests that nobody has taken."""
    return _abort("proddb_taskrequest", "request_id", "task", request_ids)


def abort_jobs(definition_ids: Sequence[int]) -> list[int]:
    """TOBEABORTED -> ABORTED, for definitions without a job."""
    return _abort("proddb_jobdefinition", "definition_id", "job", definition_ids)


def _abort(table: str, key: str, kind: str, ids: Sequence[int]) -> list[int]:
    if not ids:
        return []
    sql = _ABORT.format(table=table, key=key, kind=kind)
    with work() as cursor:
        cursor.execute(sql, {"ids": list(ids), "reason": NOT_SUBMITTED})
        return sorted(row[0] for row in cursor.fetchall())


_ABORT_REST = """
WITH found AS (
  SELECT definition_id FROM proddb_jobdefinition
  WHERE request_id = ANY(%(ids)s) AND state = 'TOBEDONE' ORDER BY definition_id LIMIT %(limit)s
), wanted AS (
  UPDATE proddb_jobdefinition d SET state = 'TOBEABORTED' FROM found
  WHERE d.definition_id = found.definition_id AND d.state = 'TOBEDONE' RETURNING 1
)
SELECT count(*) FROM wanted
"""


def abort_rest_of(request_ids: Sequence[int], *, limit: int) -> int:
    """What these tasks have not had submitted yet is to be aborted, too; how many those were."""
    if not request_ids:
        return 0
    with work() as cursor:
        cursor.execute(_ABORT_REST, {"ids": list(request_ids), "limit": limit})
        return int(cursor.fetchone()[0])
