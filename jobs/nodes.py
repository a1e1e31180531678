"""Worker nodes: how many pilots each had of late, what its jobs came to, which are forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, F
from django.db.models.functions import Greatest

from jobs.ends import Span
from jobs.models import Node

LATELY = dt.timedelta(hours=3)
# Its last sign of life. PostgreSQL's greatest() passes over NULL.
SEEN_AT = Greatest(F("last_claim"), F("last_report"), output_field=DateTimeField())

_COUNT = """
WITH counted AS MATERIALIZED (
  SELECT site_id, node, count(*) AS n FROM jobs_pilot WHERE last_contact >= %s GROUP BY 1, 2
), held AS MATERIALIZED (
  SELECT n.id, c.n FROM jobs_node n JOIN counted c USING (site_id, node)
  WHERE n.pilots <> c.n FOR NO KEY UPDATE OF n SKIP LOCKED
)
UPDATE jobs_node n SET pilots = held.n FROM held WHERE n.id = held.id
"""


def count_pilots(now: dt.datetime) -> int:
    """Count the pilots of each node anew; returns how many nodes have another number.

    The dashboard adds these up: to count 600,000 pilots takes longer than a page may.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [now - LATELY])
        return int(cursor.rowcount)


def forget(now: dt.datetime) -> int:
    """Delete nodes that have been silent as long as a pilot may be; returns how many."""
    silent_since = now - dt.timedelta(days=settings.PANDASITE["PILOT_DAYS"])
    return Node.objects.alias(seen_at=SEEN_AT).filter(seen_at__lt=silent_since).delete()[0]


# -- what their jobs came to -----------------------------------------------------------------------

_ENDED = """
SELECT site_id, node, finished, failed, cancelled, lost_s, latest,
  sum(finished) OVER site, sum(failed) OVER site, count(*) OVER ()
FROM (
  SELECT site_id, node, sum(finished) AS finished, sum(failed) AS failed,
    sum(cancelled) AS cancelled, sum(lost_s) AS lost_s, max(latest) AS latest
  FROM ({rows}) both_tables GROUP BY site_id, node
) nodes WINDOW site AS (PARTITION BY site_id)
ORDER BY failed DESC, finished DESC, site_id, node LIMIT %(most)s
"""
# Folded and not folded yet: jobs/sql/ends.sql.
_ROWS = """
  SELECT hour, site_id, node, finished, failed, cancelled, lost_s, latest FROM jobs_nodecount
  WHERE {chosen}
  UNION ALL
  SELECT hour, site_id, node, CASE WHEN state = 'finished' THEN jobs ELSE 0 END,
    CASE WHEN state = 'failed' THEN jobs ELSE 0 END,
    CASE WHEN state = 'cancelled' THEN jobs ELSE 0 END,
    CASE WHEN state = 'failed' THEN lost_s ELSE 0 END, latest
  FROM jobs_enddelta WHERE node <> '' AND {chosen}
"""
_BY_HOUR = """
SELECT hour, sum(finished), sum(failed), sum(cancelled) FROM ({rows}) both_tables
GROUP BY hour ORDER BY hour
"""
_CHOSEN = """hour >= %(since)s AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
    AND (%(sites)s::bigint[] IS NULL OR site_id = ANY (%(sites)s))"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Jobs of a node that ended, and of all nodes of its site. CPU of failed jobs in seconds."""

    site_id: int
    node: str
    finished: int
    failed: int
    cancelled: int
    lost_s: int
    latest: dt.datetime | None
    site_finished: int
    site_failed: int


def ended(span: Span, *, site_ids: Collection[int] | None, most: int) -> tuple[list[Ended], int]:
    """The `most` nodes with the most failures within the span, and how many nodes there are."""
    values = {
        "since": span.since,
        "until": span.until,
        "sites": None if site_ids is None else list(site_ids),
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENDED.format(rows=_ROWS.format(chosen=_CHOSEN)), values)
        rows = cursor.fetchall()
    nodes = [
        Ended(
            site_id=row[0],
            node=row[1],
            finished=int(row[2]),
            failed=int(row[3]),
            cancelled=int(row[4]),
            lost_s=int(row[5]),
            latest=row[6],
            site_finished=int(row[7]),
            site_failed=int(row[8]),
        )
        for row in rows
    ]
    return nodes, int(rows[0][9]) if rows else 0


def by_hour(span: Span, *, site_id: int, node: str) -> list[tuple[dt.datetime, int, int, int]]:
    """Finished, failed and cancelled jobs of a node by hour; by day, where that is days ago."""
    values = {"since": span.since, "until": span.until, "sites": [site_id], "node": node}
    chosen = f"{_CHOSEN} AND node = %(node)s"
    with connection.cursor() as cursor:
        cursor.execute(_BY_HOUR.format(rows=_ROWS.format(chosen=chosen)), values)
        return [(row[0], int(row[1]), int(row[2]), int(row[3])) for row in cursor.fetchall()]
