"""The database as it sees itself: connections, sizes, transactions. Reads statistics only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection

MANY_CONNECTIONS = 80  # percent of what the server allows
LONG_TRANSACTION = dt.timedelta(hours=1)  # from then on vacuum cannot clear what matters
LARGEST = 15  # tables shown

_SERVER = """
SELECT current_setting('server_version') AS version,
  pg_postmaster_start_time() AS started_at,
  pg_database_size(current_database()) AS size_bytes,
  (SELECT count(*) FROM pg_stat_replication) AS replicas,
  s.xact_commit AS commits, s.xact_rollback AS rollbacks, s.deadlocks,
  CASE WHEN s.blks_hit + s.blks_read > 0
    THEN round(100.0 * s.blks_hit / (s.blks_hit + s.blks_read), 2)::float END AS cache_hit_pct
FROM pg_stat_database s WHERE s.datname = current_database()
"""
# Of other users' connections PostgreSQL tells only that they are there.
_CONNECTIONS = """
SELECT count(*) AS connections, current_setting('max_connections')::int AS connections_max,
  count(*) FILTER (WHERE state = 'active') AS active,
  count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction,
  count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting_for_lock,
  min(xact_start) FILTER (WHERE pid <> pg_backend_pid()) AS oldest_transaction
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
"""
_TABLES = """
SELECT relname AS name, pg_total_relation_size(relid) AS size_bytes, n_live_tup AS rows,
  n_dead_tup AS dead, greatest(last_vacuum, last_autovacuum) AS vacuumed_at,
  greatest(last_analyze, last_autoanalyze) AS analyzed_at
FROM pg_stat_user_tables ORDER BY 2 DESC, 1 LIMIT %s
"""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Who speaks to the database: how many, what they do, since when one of them holds it up."""

    connections: int
    connections_max: int
    active: int
    idle_in_transaction: int
    waiting_for_lock: int
    oldest_transaction: dt.datetime | None

    @property
    def crowded(self) -> bool:
        """Whether there is soon no room for another connection."""
        return 100 * self.connections > MANY_CONNECTIONS * self.connections_max

    def held_up(self, now: dt.datetime) -> bool:
        """Whether a transaction has been open for so long that tables cannot be cleaned."""
        oldest = self.oldest_transaction
        return oldest is not None and now - oldest > LONG_TRANSACTION


@dataclass(frozen=True, kw_only=True)
class Database(Connections):
    """The server and the connections to it. Counts are since its statistics were last reset."""

    version: str
    started_at: dt.datetime
    size_bytes: int
    replicas: int
    commits: int
    rollbacks: int
    deadlocks: int
    cache_hit_pct: float | None

    def as_json(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A table with its indexes; numbers of rows are estimates."""

    name: str
    size_bytes: int
    rows: int
    dead: int
    vacuumed_at: dt.datetime | None
    analyzed_at: dt.datetime | None


def read() -> Database:
    """The server."""
    return Database(**_one(_SERVER), **_one(_CONNECTIONS))


def connections() -> Connections:
    """The connections alone: a thousandth of a second, for the dashboard."""
    return Connections(**_one(_CONNECTIONS))


def largest_tables() -> Sequence[TableRow]:
    """The largest tables, that one first."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [LARGEST])
        names = [column.name for column in cursor.description]
        return [TableRow(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _one(statement: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))
