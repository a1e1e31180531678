"""Jobs that made or read files, live and ended ones, by the names of the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

MOST = 200
_USES = "SELECT * FROM jobs_uses(%s, %s, %s)"  # jobs/sql/find.sql


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
    """The latest MOST uses of the files (scope, LFN), and whether there are more."""
    if not names:
        return [], False
    scopes, lfns = ([*side] for side in zip(*names, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_USES, [scopes, lfns, MOST + 1])
        columns = ("job", "kind", "lfn", "status", "state", "task", "transformation")
        found = [Use(**dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]
    return found[:MOST], len(found) > MOST
