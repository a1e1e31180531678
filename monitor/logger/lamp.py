"""How the logger is, as a lamp of the strip: its latest line, and whether any was lost of late."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection

from monitor.logger.handler import DROPPED, OURS
from monitor.servers import Lamp
from monitor.words import plural

NAME = "logger"
LATELY = dt.timedelta(hours=1)
WHY = "processes log faster than lines are stored, or the database was away from them"
STEP = "see on the logger page who says so much; the processes' own output has every line"
_LOOK = """
SELECT (SELECT at FROM monitor_logevent ORDER BY id DESC LIMIT 1), coalesce(sum(CASE
  WHEN event = %(event)s THEN (facts ->> 'lines')::bigint END), 0)
FROM monitor_logevent WHERE logger = %(ours)s AND at >= %(since)s
"""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """The moment of the latest line, and how many lines were dropped LATELY."""

    latest: dt.datetime | None = None
    dropped: int = 0


def look(*, now: dt.datetime) -> Logged:
    """Read it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"ours": OURS, "event": DROPPED, "since": now - LATELY})
        latest, dropped = cursor.fetchone()
    return Logged(latest=latest, dropped=int(dropped))


def lamp(logged: Logged, *, now: dt.datetime) -> Lamp:
    """Late when lines were lost."""
    if logged.dropped:
        details = f"{plural(logged.dropped, 'line')} of the log could not be kept within an hour"
        at = logged.latest or now
        return Lamp(name=NAME, state="late", at=at, details=details, why=WHY, step=STEP)
    details = "keeps every line" if logged.latest else "nothing has been logged yet"
    return Lamp(name=NAME, state="ok", at=logged.latest or now, details=details)
