"""How data has moved of late, in two small sums: what the dashboard's box is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from monitor.words import window_start

HOURS = 4
GOOD, FAIR = 95, 80  # percent of tries that bring the file; below FAIR: urgent
FEW_TRIES = 20  # fewer say nothing


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """Transfers to a storage element that have waited for more than a day."""

    storage: str
    n: int
    oldest: dt.datetime
    reason: str  # of one of them; '' when none was tried


@dataclass(frozen=True, kw_only=True)
class Lately:
    """Transfers of the last HOURS; `worst` and `reason` are where and why most tries failed."""

    done: int = 0
    tries: int = 0  # that failed
    worst: str = ""
    worst_tries: int = 0
    reason: str = ""
    stuck: Sequence[Stuck] = ()

    @property
    def efficiency(self) -> float | None:
        """done / (done + tries that failed), in percent; None where nothing was tried."""
        tried = self.done + self.tries
        return 100 * self.done / tried if tried else None

    @property
    def lamp(self) -> str:
        """As a lamp: ok, late (somebody should look) or failed."""
        part = self.efficiency
        if part is None or part >= GOOD or self.done + self.tries < FEW_TRIES:
            return "late" if self.stuck else "ok"
        return "late" if part >= FAIR else "failed"

    @property
    def text(self) -> str:
        """The box in words."""
        if self.efficiency is None:
            return "nothing moved"
        return f"{int(self.efficiency)} % of {self.done + self.tries:,} tries went well"

    def as_json(self) -> dict[str, Any]:
        """The facts; efficiency in percent."""
        return {
            "hours": HOURS,
            "state": self.lamp,
            "efficiency": None if self.efficiency is None else round(self.efficiency, 1),
            "done": self.done,
            "failed_tries": self.tries,
            "stuck": sum(one.n for one in self.stuck),
        }


# One statement: the dashboard reads it again and again.
_READ = """
SELECT 'moved', e.name, sum(done), sum(tries), NULL::timestamptz, '' FROM datasets_transfersum s
JOIN datasets_storageelement e ON e.id = s.destination_id WHERE hour >= %(since)s GROUP BY e.name
UNION ALL SELECT 'reason', reason, sum(n), 0, NULL, '' FROM datasets_transferfailure
WHERE hour >= %(since)s GROUP BY reason
UNION ALL SELECT 'stuck', e.name, sum(stuck), 0, min(oldest), max(reason)
FROM datasets_transferqueue q JOIN datasets_storageelement e ON e.id = q.destination_id
WHERE stuck > 0 GROUP BY e.name
ORDER BY 1, 3 DESC, 2
"""


def read(*, now: dt.datetime) -> Lately:
    """From the sums that the sweep keeps."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"since": window_start(now, HOURS)})
        rows = cursor.fetchall()
    moved = [(name, int(n), int(tries)) for what, name, n, tries, *_ in rows if what == "moved"]
    worst = max(moved, key=lambda row: row[2], default=("", 0, 0))
    return Lately(
        done=sum(n for _name, n, _tries in moved),
        tries=sum(tries for _name, _n, tries in moved),
        worst=worst[0] if worst[2] else "",
        worst_tries=worst[2],
        reason=next((name for what, name, *_ in rows if what == "reason"), ""),
        stuck=[
            Stuck(storage=name, n=int(n), oldest=oldest, reason=why)
            for what, name, n, _tries, oldest, why in rows
            if what == "stuck"
        ],
    )
