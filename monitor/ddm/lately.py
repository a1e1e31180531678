"""How data has moved of late, in two small sums: what the dashboard's box is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min, Sum

from datasets.models import TransferFailure, TransferQueue, TransferSum
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


def read(*, now: dt.datetime) -> Lately:
    """From the sums that the sweep keeps."""
    since = window_start(now, HOURS)
    rows = TransferSum.objects.filter(hour__gte=since).order_by().values("destination__name")
    sums = list(rows.annotate(well=Sum("done"), ill=Sum("tries")))
    worst = max(sums, key=lambda row: (row["ill"], row["destination__name"]), default=None)
    bad = worst if worst and worst["ill"] else None
    failed = TransferFailure.objects.filter(hour__gte=since).order_by().values("reason")
    most = failed.annotate(count=Sum("n")).order_by("-count", "reason").first()
    return Lately(
        done=sum(row["well"] for row in sums),
        tries=sum(row["ill"] for row in sums),
        worst=bad["destination__name"] if bad else "",
        worst_tries=bad["ill"] if bad else 0,
        reason=most["reason"] if most else "",
        stuck=_stuck(),
    )


def _stuck() -> list[Stuck]:
    rows = TransferQueue.objects.filter(stuck__gt=0).order_by().values("destination__name")
    summed = rows.annotate(count=Sum("stuck"), first=Min("oldest"), why=Max("reason"))
    return [
        Stuck(storage=row["destination__name"], n=row["count"], oldest=row["first"],
              reason=row["why"])
        for row in summed.order_by("-count", "destination__name")
    ]  # fmt: skip
