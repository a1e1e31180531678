"""What moved hour by hour, and how full storage was: the data of the plots."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from datasets.models import SpaceSample, StorageElement
from monitor.ddm.scope import Scope

WHATS = {
    "throughput": ("Throughput", "MB/s", "lines"),
    "volume": ("Volume", "GB", "stacked"),
    "transfers": ("Transfers that ended, and tries that failed", "transfers", "stacked"),
}
MOST = 8  # lines of a plot; the others are one
OTHERS = "others"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
SPACE_DAYS = {"7": "7 d", "30": "30 d", "400": "400 d"}


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over time."""

    unit: str
    times: Sequence[dt.datetime]
    series: Mapping[str, Sequence[float | None]]
    states: Mapping[str, str]  # of lines that have the colour of a state

    def as_json(self) -> dict[str, Any]:
        """As plots.js wants it."""
        named = [
            {"name": name, "values": values}
            | ({"state": self.states[name]} if name in self.states else {})
            for name, values in self.series.items()
        ]
        return {"unit": self.unit, "x": [int(t.timestamp()) for t in self.times], "series": named}

    def as_rows(self) -> list[dict[str, Any]]:
        """A line for each time."""
        return [
            {"at": at, **{name: values[nr] for name, values in self.series.items()}}
            for nr, at in enumerate(self.times)
        ]


def draw(scope: Scope, what: str) -> Plot:
    """One of WHATS; throughput and volume by destination on the level of the scope."""
    step = DAY if scope.by_day else HOUR
    hours = [scope.since + nr * step for nr in range(int(scope.seconds / step.total_seconds()) + 1)]
    if what == "transfers":
        return _transfers(scope, hours)
    per_hour = _bytes(scope)
    whole = Counter({name: sum(sums.values()) for name, sums in per_hour.items()})
    top = [name for name, _n in whole.most_common(MOST)]
    lines: dict[str, list[float | None]] = {}
    for name in [*sorted(top), OTHERS]:
        mine = [name] if name != OTHERS else [one for one in per_hour if one not in top]
        if mine:
            sums = [(hour, sum(per_hour[one].get(hour, 0) for one in mine)) for hour in hours]
            lines[name] = [_scaled(what, n, scope.now - hour, step) for hour, n in sums]
    return Plot(unit=WHATS[what][1], times=hours, series=lines, states={})


def _scaled(what: str, n: int, age: dt.timedelta, step: dt.timedelta) -> float:
    if what == "volume":
        return round(n / 1e9, 3)
    seconds = max(60.0, min(step, age).total_seconds())
    return round(n / 1e6 / seconds, 3)


def _bytes(scope: Scope) -> dict[str, dict[dt.datetime, int]]:
    rows = scope.sums.values("destination", "hour")
    found: defaultdict[str, Counter[dt.datetime]] = defaultdict(Counter)
    for row in rows.annotate(moved=Sum("bytes")):
        name = scope.places.label(row["destination"], scope.by)
        found[name][_bucket(scope, row["hour"])] += int(row["moved"])
    return {name: dict(hours) for name, hours in found.items()}


def _bucket(scope: Scope, hour: dt.datetime) -> dt.datetime:
    return hour.replace(hour=0) if scope.by_day else hour


def _transfers(scope: Scope, hours: Sequence[dt.datetime]) -> Plot:
    rows = scope.sums.values("hour")
    well: Counter[dt.datetime] = Counter()
    ill: Counter[dt.datetime] = Counter()
    for row in rows.annotate(n=Sum("done"), n_ill=Sum("tries")):
        well[_bucket(scope, row["hour"])] += row["n"]
        ill[_bucket(scope, row["hour"])] += row["n_ill"]
    return Plot(
        unit="transfers",
        times=hours,
        series={
            "arrived": [well[hour] for hour in hours],
            "tries that failed": [ill[hour] for hour in hours],
        },
        states={"arrived": "finished", "tries that failed": "failed"},
    )


def space(storage: StorageElement | None, *, days: int, now: dt.datetime) -> Plot:
    """Used and free of a storage element, or of all together (TB, 10^12 bytes)."""
    rows = SpaceSample.objects.filter(hour__gte=now - dt.timedelta(days=days))
    if storage is not None:
        rows = rows.filter(storage=storage)
    summed = (
        rows.order_by("hour")
        .values("hour")
        .annotate(free=Sum("free_bytes"), capacity=Sum("capacity_bytes"))
    )
    step = max(1, days // 30)  # hours between two points: at most some 720 of them
    kept = [row for row in summed if not int(row["hour"].timestamp() // 3600) % step]
    used = [max(0, int(row["capacity"]) - int(row["free"])) for row in kept]
    return Plot(
        unit="TB",
        times=[row["hour"] for row in kept],
        series={
            "used": [round(n / 1e12, 4) for n in used],
            "free": [round(int(row["free"]) / 1e12, 4) for row in kept],
        },
        states={},
    )
