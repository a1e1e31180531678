"""Worker nodes: how many pilots each had of late, what its jobs came to, which are forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

# Folded and not folded yet: jobs/sql/ends.sql. A row of the node '' is the sum of its site.
_CHOSEN = """hour >= %(since)s AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
    AND (%(sites)s::bigint[] IS NULL OR site_id = ANY (%(sites)s))"""
_DELTA = """hour, site_id, node, CASE WHEN state = 'finished' THEN jobs ELSE 0 END AS finished,
    CASE WHEN state = 'failed' THEN jobs ELSE 0 END AS failed,
    CASE WHEN state = 'cancelled' THEN jobs ELSE 0 END AS cancelled,
    CASE WHEN state = 'failed' THEN lost_s ELSE 0 END AS lost_s, latest
  FROM jobs_enddelta"""
_FAILING = f"""
WITH failing AS MATERIALIZED (
  SELECT site_id, node, sum(failed) AS failed FROM (
    SELECT site_id, node, failed::int FROM jobs_nodecount
    WHERE failed <> 0 AND node <> '' AND {_CHOSEN}
    UNION ALL SELECT site_id, node, jobs::int FROM jobs_enddelta
    WHERE state = 'failed' AND node <> '' AND {_CHOSEN}
  ) both_tables GROUP BY site_id, node HAVING sum(failed) <> 0
)
SELECT site_id, node, (SELECT count(*) FROM failing) FROM failing
ORDER BY failed DESC, site_id, node LIMIT %(most)s
"""
_OF_LATE = f"""
SELECT site_id, node, max(n) FROM (
  SELECT hour, site_id, node, count(*) OVER () AS n FROM (
    (SELECT hour, site_id, node FROM jobs_nodecount WHERE node <> '' AND {_CHOSEN}
     ORDER BY hour DESC LIMIT %(read)s)
    UNION ALL SELECT hour, site_id, node FROM jobs_enddelta WHERE node <> '' AND {_CHOSEN}
  ) both_tables
) counted GROUP BY site_id, node ORDER BY max(hour) DESC, site_id, node LIMIT %(most)s
"""
_ENDED = f"""
WITH keys AS MATERIALIZED (
  SELECT * FROM unnest(%(at)s::bigint[], %(names)s::text[]) AS key (site_id, node)
)
SELECT site_id, node, sum(finished), sum(failed), sum(cancelled), sum(lost_s), max(latest) FROM (
  SELECT site_id, node, c.finished, c.failed, c.cancelled, c.lost_s, c.latest
  FROM keys JOIN jobs_nodecount c USING (site_id, node) WHERE {_CHOSEN}
  UNION ALL SELECT site_id, node, d.finished, d.failed, d.cancelled, d.lost_s, d.latest
  FROM (SELECT {_DELTA} WHERE {_CHOSEN}) d JOIN keys USING (site_id, node)
) both_tables GROUP BY site_id, node
"""
_SITES = f"""
SELECT site_id, sum(finished), sum(failed) FROM (
  SELECT site_id, finished, failed FROM jobs_nodecount WHERE node = '' AND {_CHOSEN}
  UNION ALL SELECT site_id, finished, failed FROM (
    SELECT {_DELTA} WHERE node <> '' AND {_CHOSEN}) d
) both_tables GROUP BY site_id
"""
_BY_HOUR = f"""
SELECT hour, sum(finished), sum(failed), sum(cancelled) FROM (
  SELECT hour, finished, failed, cancelled FROM jobs_nodecount WHERE node = %(node)s AND {_CHOSEN}
  UNION ALL SELECT hour, finished, failed, cancelled FROM (
    SELECT {_DELTA} WHERE node = %(node)s AND {_CHOSEN}) d
) both_tables GROUP BY hour ORDER BY hour
"""
READ = 20_000  # sums of nodes without failures, the latest first, where those that fail are few


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Jobs of a node that ended. CPU of failed jobs in seconds."""

    site_id: int
    node: str
    finished: int
    failed: int
    cancelled: int
    lost_s: int
    latest: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Nodes, those with the most failures first; `failing` is how many have some.

    `whole` says whether these are all nodes that ended jobs. `sites` has what finished and what
    failed on all nodes of each site.
    """

    nodes: Sequence[Ended]
    failing: int
    whole: bool
    sites: Mapping[int, tuple[int, int]]


def ended(span: Span, *, site_ids: Collection[int] | None, most: int) -> Ends:
    """At most `most` nodes whose jobs ended within the span."""
    values = {**_within(span, site_ids), "most": most, "read": READ}
    failing = _rows(_FAILING, values)
    of_late = _rows(_OF_LATE, values) if len(failing) < most else []
    keys = [*dict.fromkeys((site, node) for site, node, _n in [*failing, *of_late])][:most]
    chosen = {"at": [site for site, _ in keys], "names": [node for _, node in keys]}
    found = [_ended(row) for row in _rows(_ENDED, values | chosen)]
    return Ends(
        nodes=sorted(found, key=lambda one: (-one.failed, -one.finished, one.site_id, one.node)),
        failing=int(failing[0][2]) if failing else 0,
        whole=len(of_late) < most and len(failing) < most and all(n < READ for *_, n in of_late),
        sites=of_sites(span, site_ids=site_ids),
    )


def _ended(row: tuple[Any, ...]) -> Ended:
    return Ended(
        site_id=row[0],
        node=row[1],
        finished=int(row[2]),
        failed=int(row[3]),
        cancelled=int(row[4]),
        lost_s=int(row[5]),
        latest=row[6],
    )


def of_sites(span: Span, *, site_ids: Collection[int] | None) -> dict[int, tuple[int, int]]:
    """Finished and failed jobs of all nodes of each site."""
    rows = _rows(_SITES, _within(span, site_ids))
    return {site: (int(finished), int(failed)) for site, finished, failed in rows}


def by_hour(span: Span, *, site_id: int, node: str) -> list[tuple[dt.datetime, int, int, int]]:
    """Finished, failed and cancelled jobs of a node by hour; by day, where that is days ago."""
    rows = _rows(_BY_HOUR, {**_within(span, [site_id]), "node": node})
    return [(row[0], int(row[1]), int(row[2]), int(row[3])) for row in rows]


def _within(span: Span, site_ids: Collection[int] | None) -> dict[str, Any]:
    sites = None if site_ids is None else list(site_ids)
    return {"since": span.since, "until": span.until, "sites": sites}


def _rows(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
