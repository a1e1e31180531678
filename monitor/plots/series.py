"""Plots over time, read from the roll-ups: some hundreds of rows of a place, however long it is."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection

from brokerage.models import Cloud, Site
from jobs import counts
from monitor.plots import measures
from monitor.plots.buckets import HOUR, ORIGIN, SAMPLE, ended_span, floor, span_of, starts
from monitor.plots.choice import Choice
from monitor.plots.measures import Measure, Sums, Value
from monitor.plots.rollup import SETTLED

SHOWN = 12  # places in one plot, the largest first
HERE = 0  # the place that was chosen, where none is drawn by itself


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A line with its values; None where nothing is known."""

    name: str
    values: Sequence[float | None]
    state: str = ""

    def as_json(self) -> dict[str, Any]:
        """As plots.js takes it, with four digits."""
        more = {"state": self.state} if self.state else {}
        values = [None if v is None else float(f"{v:.4g}") for v in self.values]
        return {"name": self.name, "values": values, **more}


@dataclass(frozen=True, kw_only=True)
class Series:
    """A plot over time: `x` are the beginnings of buckets of `span` seconds (epoch seconds).

    `complete`: whether the last bucket is over, and all of it is in.
    """

    unit: str
    span: int
    x: Sequence[int]
    lines: Sequence[Drawn] = field(default_factory=list)
    complete: bool = True

    def as_json(self) -> dict[str, Any]:
        """As plots.js takes it."""
        lines = [line.as_json() for line in self.lines]
        more = {"complete": self.complete}
        return {"unit": self.unit, "span": self.span, "x": [*self.x], "series": lines, **more}

    def rows(self) -> list[dict[str, Any]]:
        """For CSV."""
        lines = [line.as_json() for line in self.lines]
        return [
            {
                "start": dt.datetime.fromtimestamp(at, dt.UTC),
                "complete": self.complete or nr + 1 < len(self.x),
                **{line["name"]: line["values"][nr] for line in lines},
            }
            for nr, at in enumerate(self.x)
        ]


@dataclass(frozen=True)
class Rolled:
    """Weights of the buckets that are known, and the sums of each place by bucket."""

    weights: dict[int, float]
    sums: dict[int, dict[int, Sums]]

    def values(self, value: Value, place: int, x: Sequence[int]) -> list[float | None]:
        """A place that had no row in a known bucket had nothing there."""
        rows = self.sums.get(place, {})
        return [
            value(rows.get(at, {}), self.weights[at]) if at in self.weights else None for at in x
        ]


_BUCKET = "extract(epoch FROM date_bin(%(span)s * interval '1 s', start, %(origin)s))::bigint"
_READ = """
SELECT {bucket}, {place}, {columns} FROM {table}
WHERE {where} AND span BETWEEN %(least)s AND %(span)s AND start >= %(since)s GROUP BY 1, 2
"""
_WEIGHTS = """
SELECT {bucket}, {weight} FROM {table} WHERE cloud_id = 0 AND site_id = 0
  AND span BETWEEN %(least)s AND %(span)s AND start >= %(since)s GROUP BY 1
"""
_WHERE = {
    "": "cloud_id = %(cloud)s AND site_id = %(site)s",
    "cloud": "cloud_id > 0 AND site_id = 0",
    "site": "cloud_id = 0 AND site_id = ANY(%(sites)s)",
}
_PLACE = {"": str(HERE), "cloud": "cloud_id", "site": "site_id"}


def series(choice: Choice, *, now: dt.datetime) -> Series:
    """The plot over time that was chosen."""
    if choice.what == "states":
        return _states(choice, now=now)
    measure, span = measures.ENDED[choice.what], ended_span(choice.hours)
    since = floor(now - dt.timedelta(hours=choice.hours), span)
    rolled = _read(measure, choice, span=span, since=since)
    last = max(rolled.weights, default=0)
    x = [at for at in starts(since, now, span) if at <= last]
    settled = (now - SETTLED).timestamp()
    found = _drawn(measure, choice, rolled, x, span)
    return replace(found, complete=not x or x[-1] + span <= settled)


def _states(choice: Choice, *, now: dt.datetime) -> Series:
    """Looks as they are, or means of the hours that were made of them; and this moment."""
    span = span_of(choice.hours)
    since = floor(now - dt.timedelta(hours=choice.hours), span)
    least = SAMPLE if span == SAMPLE else HOUR
    measure = measures.live(choice.states, least=least, by=bool(choice.by))
    rolled = _read(measure, choice, span=span, since=since)
    this = int(now.timestamp())
    rolled.weights[this] = 1
    for place, sums in _present(choice, now=now).items():
        rolled.sums[place][this] = sums
    first = min(rolled.weights)
    x = [at for at in starts(since, now, span) if first <= at < this]
    return _drawn(measure, choice, rolled, [*x, this], span)


def _read(measure: Measure, choice: Choice, *, span: int, since: dt.datetime) -> Rolled:
    names = {"bucket": _BUCKET, "table": measure.table, "weight": measure.weight}
    names |= {"place": _PLACE[choice.by], "where": _WHERE[choice.by]}
    values: dict[str, Any] = {
        "span": span,
        "least": measure.least,
        "since": since,
        "origin": ORIGIN,
        "cloud": choice.cloud_id,
        "site": choice.site_id,
        "sites": list(_sites(choice)) if choice.by == "site" else [],
    }
    sums: dict[int, dict[int, Sums]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_WEIGHTS.format(**names), values)
        weights = {at: float(weight) for at, weight in cursor.fetchall()}
        columns = ", ".join(measure.columns.values())
        cursor.execute(_READ.format(columns=columns, **names), values)
        for at, place, *found in cursor.fetchall():
            sums[place][at] = dict(zip(measure.columns, map(float, found), strict=True))
    return Rolled(weights, sums)


def _sites(choice: Choice) -> dict[int, str]:
    """Names of the sites that the choice is of, by key."""
    sites = Site.objects.filter(cloud=choice.cloud_id) if choice.cloud_id else Site.objects.all()
    return dict(sites.values_list("pk", "name"))


def _present(choice: Choice, *, now: dt.datetime) -> Mapping[int, Sums]:
    """Jobs in the chosen states at this moment, by place."""
    sites = _sites(choice) if choice.by == "site" else {}
    found: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for count in counts.read(ended_since=now):
        at = {"site": count.site_id, "cloud": count.cloud_id}
        place = at.get(choice.by, HERE)
        known = place in sites if choice.by == "site" else place or not choice.by
        here = choice.site_id in (0, count.site_id) and choice.cloud_id in (0, count.cloud_id)
        if count.state in choice.states and known and (here or choice.by):
            found[place][count.state] += count.n
    return found


def _drawn(measure: Measure, choice: Choice, rolled: Rolled, x: Sequence[int], span: int) -> Series:
    if choice.by:
        unit = f"{measure.lines[0].name}, {measure.unit}"
        return Series(unit=unit, span=span, x=x, lines=_by_place(measure, choice, rolled, x))
    lines = [
        Drawn(name=line.name, state=line.state, values=rolled.values(line.value, HERE, x))
        for line in measure.lines
    ]
    return Series(unit=measure.unit, span=span, x=x, lines=lines)


def _by_place(measure: Measure, choice: Choice, rolled: Rolled, x: Sequence[int]) -> list[Drawn]:
    """The largest places by their names; the rest is added up where that means something."""
    clouds = Cloud.objects.values_list("pk", "name")
    names = _sites(choice) if choice.by == "site" else dict(clouds)
    value = measure.lines[0].value
    drawn = [
        Drawn(name=names.get(place, "no longer there"), values=rolled.values(value, place, x))
        for place in rolled.sums
    ]
    drawn.sort(key=lambda line: (-sum(v or 0 for v in line.values), line.name))
    rest = drawn[SHOWN:]
    if rest and measure.added:
        values = [_total(column) for column in zip(*(line.values for line in rest), strict=True)]
        return [*drawn[:SHOWN], Drawn(name=f"{len(rest)} others", values=values)]
    return drawn[:SHOWN]


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
