"""Plots of durations: how many took how long, and how long half and nine tenths took at most."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from brokerage.models import Site
from jobs.states import LIVE
from monitor.plots.buckets import BINS, HOUR, bounds, ended_span, floor, label, quantile
from monitor.plots.choice import Choice
from monitor.words import span

_BINS = ", ".join(f"sum(bins[{nr + 1}])" for nr in range(BINS))
_READ = f"""
SELECT site_id, what, ARRAY[{_BINS}] FROM monitor_spreadroll
WHERE cloud_id = %(cloud)s AND site_id = ANY(%(sites)s) AND what = ANY(%(what)s)
  AND span BETWEEN %(least)s AND %(most)s AND start >= %(since)s GROUP BY 1, 2
"""
QUANTILES = {"p50": 0.5, "p90": 0.9}


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A plot of bars: a name and a value of each series for every category."""

    unit: str
    categories: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    table: Sequence[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """As plots.js takes it."""
        lines = [{"name": name, "values": [*values]} for name, values in self.series.items()]
        return {"unit": self.unit, "categories": [*self.categories], "series": lines}

    def rows(self) -> list[dict[str, Any]]:
        """For CSV."""
        return [*self.table]


def histogram(choice: Choice, *, now: dt.datetime) -> Bars:
    """Ended jobs by how long they queued, or ran."""
    found = _read(choice, [choice.what], [choice.site_id], now=now)
    bins = found.get((choice.site_id, choice.what), [0] * BINS)
    filled = [nr for nr, n in enumerate(bins) if n]
    shown = range(filled[0], filled[-1] + 1) if filled else range(0)
    table = [
        {
            "from_s": bounds(nr)[0],
            "to_s": bounds(nr)[1] if nr + 1 < BINS else None,
            "jobs": bins[nr],
        }
        for nr in shown
    ]
    values = [float(bins[nr]) for nr in shown]
    labels = [label(nr) for nr in shown]
    return Bars(unit="jobs", categories=labels, series={"jobs": values}, table=table)


def dwell(choice: Choice, *, now: dt.datetime) -> Bars:
    """p50 and p90 of the stays in each of the chosen states, minutes."""
    found = _read(choice, choice.states, [choice.site_id], now=now)
    there = [state for state in choice.states if (choice.site_id, state) in found]
    bins = {state: found[choice.site_id, state] for state in there}
    minutes = {
        name: [_minutes(quantile(bins[state], share)) for state in there]
        for name, share in QUANTILES.items()
    }
    table = [{"state": state, **stays(bins[state])} for state in there]
    return Bars(unit="minutes", categories=there, series=minutes, table=table)


def stays(bins: Sequence[int]) -> dict[str, Any]:
    """How many stays, and their quantiles in whole seconds."""
    found = {f"{name}_s": quantile(bins, share) for name, share in QUANTILES.items()}
    return {"stays": sum(bins), **{k: None if v is None else round(v) for k, v in found.items()}}


@dataclass(frozen=True, kw_only=True)
class Stay:
    """How long jobs stayed in a state at a site: half and nine tenths at most so long (s)."""

    site: str
    state: str
    stays: int
    p50: float | None
    p90: float | None

    @property
    def half(self) -> str:
        """p50 in words."""
        return "" if self.p50 is None else span(self.p50)

    @property
    def most(self) -> str:
        """p90 in words."""
        return "" if self.p90 is None else span(self.p90)


def dwell_by_site(choice: Choice, *, now: dt.datetime) -> list[Stay]:
    """The same for every site of the place that was chosen."""
    sites = Site.objects.all()
    if choice.site:
        sites = sites.filter(pk=choice.site_id)
    elif choice.cloud:
        sites = sites.filter(cloud=choice.cloud)
    names = dict(sites.values_list("pk", "name"))
    found = _read(choice, choice.states, list(names), now=now, cloud=0)
    order = [state.value for state in LIVE]
    return [
        Stay(
            site=names[site],
            state=state,
            stays=sum(bins),
            p50=quantile(bins, QUANTILES["p50"]),
            p90=quantile(bins, QUANTILES["p90"]),
        )
        for (site, state), bins in sorted(
            found.items(), key=lambda item: (names[item[0][0]], order.index(item[0][1]))
        )
    ]


def _read(
    choice: Choice,
    what: Sequence[str],
    sites: Sequence[int],
    *,
    now: dt.datetime,
    cloud: int | None = None,
) -> dict[tuple[int, str], list[int]]:
    """The bins of the time that was chosen, by (site, what)."""
    most = ended_span(choice.hours)
    values: dict[str, Any] = {
        "cloud": choice.cloud_id if cloud is None else cloud,
        "sites": list(sites),
        "what": list(what),
        "least": HOUR,
        "most": most,
        "since": floor(now - dt.timedelta(hours=choice.hours), most),
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, values)
        return {(site, name): [int(n) for n in bins] for site, name, bins in cursor.fetchall()}


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds / 60:.4g}")
