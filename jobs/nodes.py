"""Worker nodes: how many pilots each had of late, and which are forgotten."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, F
from django.db.models.functions import Greatest

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
