"""Jobs that made or read files, live and ended ones, by the names of the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

MOST = 200

# Each name is looked up in the index of live files and, through a plan that is kept, in those of
# the archive. No LFN has a control character.
_USES = """
WITH named AS (
  SELECT scope, lfn FROM unnest(%(scopes)s::text[], %(lfns)s::text[]) AS n (scope, lfn)
), found AS (
  SELECT f.job_id, f.type, f.lfn, f.status FROM named n
  JOIN jobs_jobfile f ON f.lfn = n.lfn AND f.scope = n.scope
  UNION ALL
  SELECT f.job_id, f.type, f.name, f.status FROM named n
  CROSS JOIN LATERAL jobs_ended_files_named(n.lfn, n.lfn || E'\\x01', -1, %(most)s) f
  WHERE f.scope = n.scope
)
SELECT f.job_id, f.type, f.lfn, f.status, j.state, j.task_id, j.transformation
FROM (SELECT * FROM found ORDER BY job_id DESC LIMIT %(most)s) f
JOIN jobs_anyjob j ON j.panda_id = f.job_id ORDER BY f.job_id DESC, f.lfn
"""


@dataclass(frozen=True, kw_only=True)
class Use:
    """A job that makes (`output`, `log`) or reads (`input`) a file."""

    job: int
    kind: str
    lfn: str
    status: str
    state: str
    task: int | None
    transformation: str

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        return vars(self)


def used_by(names: Sequence[tuple[str, str]]) -> tuple[list[Use], bool]:
    """The latest MOST uses of the files (scope, LFN), and whether there may be more."""
    if not names:
        return [], False
    scopes, lfns = ([*side] for side in zip(*names, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_USES, {"scopes": scopes, "lfns": lfns, "most": MOST})
        columns = ("job", "kind", "lfn", "status", "state", "task", "transformation")
        found = [Use(**dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]
    return found, len(found) == MOST
