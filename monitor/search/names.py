"""Rows whose name begins with a text, in the order of the names, from a cursor on.

Each source has an index on its names that is made for this (text_pattern_ops): a page costs the
rows that it shows, whatever the text is and however many names begin with it. Both sides of jobs
are asked for a page, and the first of both are it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

# Said with the operators of the index, so that it gives the order as well.
_PART = """(
  SELECT {key} AS key, {name} AS name, {columns} FROM {table}
  WHERE {name} ~>=~ %(low)s AND {name} ~<~ %(high)s
    AND ({name} <> %(low)s OR {key} > %(behind)s) {more}
  ORDER BY {name} USING ~<~, {key} LIMIT %(limit)s
)"""
_WHOLE = "SELECT * FROM ({parts}) every ORDER BY name USING ~<~, key LIMIT %(limit)s"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table with names: its key and name columns, what else is shown, what else must hold."""

    table: str
    key: str
    name: str
    columns: str
    more: str = ""

    def sql(self, wanted: Slice) -> str:
        """Its part of the statement."""
        return _PART.format(
            table=self.table, key=self.key, name=self.name, columns=self.columns, more=self.more
        )


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Functions that give the same of the archive.

    ordered: of all weeks, from a cursor on (jobs/sql/find.sql). lately: of the latest weeks that
    have some, which hardly costs more with many weeks (jobs/sql/stems.sql).
    """

    ordered: str
    lately: str

    def sql(self, wanted: Slice) -> str:
        """Its part of the statement."""
        if wanted.lately:
            return f"(SELECT * FROM {self.lately}(%(low)s, %(high)s, %(limit)s))"
        return f"(SELECT * FROM {self.ordered}(%(low)s, %(high)s, %(behind)s, %(limit)s))"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Names from `low` on (behind the row `behind` of just this name), below `high`.

    lately: of many names in the archive, those of the latest weeks, and not the first of all.
    """

    low: str
    high: str
    limit: int
    behind: int = -1
    lately: bool = False


JOBS = (
    Source(
        table="jobs_jobname n JOIN jobs_job j ON j.panda_id = n.job_id",
        key="n.job_id",
        name="n.name",
        columns="j.state, j.computing_site_id AS site_id, j.creation_time AS at",
    ),
    Archive(ordered="jobs_ended_named", lately="jobs_ended_lately"),
)
JOB_FILES = (
    Source(table="jobs_jobfile", key="id", name="lfn", columns="job_id, type, scope, status"),
    Archive(ordered="jobs_ended_files_named", lately="jobs_ended_files_lately"),
)
TASKS = (
    Source(
        table="jobs_task t JOIN auth_user u ON u.id = t.owner_id",
        key="t.task_id",
        name="t.name",
        columns="u.username AS owner, t.created_at AS at",
    ),
)
DATASETS = (
    Source(
        table="datasets_dataset",
        key="id",
        name="name",
        columns="type, state, created_at AS at",
    ),
)
FILES = (Source(table="datasets_file", key="id", name="lfn", columns="scope, size, guid"),)
NODES = (
    Source(table="jobs_node", key="id", name="node", columns="site_id, last_claim, last_report"),
)
USERS = (
    Source(
        table="auth_user",
        key="id",
        name="username",
        columns="is_active",
        # who is no pilot
        more="AND NOT EXISTS (SELECT 1 FROM jobs_pilotaccount p WHERE p.user_id = auth_user.id)",
    ),
)


def read(sources: Sequence[Source | Archive], wanted: Slice) -> list[dict[str, Any]]:
    """The rows as mappings: key, name and the columns of the sources."""
    parts = " UNION ALL ".join(source.sql(wanted) for source in sources)
    values: Mapping[str, Any] = {
        "low": wanted.low,
        "high": wanted.high,
        "behind": wanted.behind,
        "limit": wanted.limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WHOLE.format(parts=parts), values)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
