"""The plots: a page with all of them, and each one's data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils.html import format_html

from brokerage.models import Cloud, Site
from monitor import sheets
from monitor.pages import page, respond
from monitor.params import Params
from monitor.plots import choice as choices
from monitor.plots import series, spreads
from monitor.plots.buckets import HOUR, SAMPLE
from monitor.plots.choice import KINDS, Choice, Kind
from monitor.plots.models import EndedRoll, LiveRoll
from monitor.sheets import Sheet, column
from monitor.templatetags.monitor import badge
from pandasite.base.clock import database_now

# Offered by the page; the address takes any number of hours.
TIMES = {6: "6 h", 24: "24 h", 48: "2 d", 168: "7 d", 720: "30 d", 4392: "6 months", 17_520: "2 y"}
GRID = {"cloud_id": 0, "site_id": 0}


def ages() -> dict[str, dt.datetime | None]:
    """Of when the data are: the last look at live jobs, and the end of the last closed hour."""
    looked = LiveRoll.objects.filter(**GRID, span=SAMPLE).aggregate(at=Max("start"))["at"]
    closed = EndedRoll.objects.filter(**GRID, span=HOUR).aggregate(at=Max("start"))["at"]
    hour = dt.timedelta(seconds=HOUR)
    return {"looked_at": looked, "closed_at": closed + hour if closed else None}


@page
def plot_data(request: HttpRequest) -> HttpResponseBase:
    """The data of one plot as JSON in the shape of its kind (docs/monitor.md), or as CSV."""
    params = Params(request.GET, known=choices.KNOWN)
    form = params.choice("format", ("json", "csv"), default="json")
    chosen, now = choices.parse(params), database_now()
    plot = drawn(chosen, now=now)
    if form == "csv":
        return sheets.csv_response(plot.rows(), name=chosen.what)
    facts = {"what": chosen.what, "place": chosen.place, "hours": chosen.hours}
    return JsonResponse({**facts, "as_of": now, **ages(), **plot.as_json()})


def drawn(chosen: Choice, *, now: dt.datetime) -> series.Series | spreads.Bars:
    """The data of the plot that was chosen."""
    if chosen.what == "dwell":
        return spreads.dwell(chosen, now=now)
    if chosen.what in ("queue", "wall"):
        return spreads.histogram(chosen, now=now)
    return series.series(chosen, now=now)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot on the page."""

    kind: Kind
    src: str
    csv: str
    alone: str


@page
def plots(request: HttpRequest) -> HttpResponseBase:
    """All plots of a place and a time, or the one that `what` names."""
    params = Params(request.GET, known=choices.KNOWN)
    params.choice("format", ("html", "json"))
    chosen, now = choices.parse(params), database_now()
    kinds = [KINDS[chosen.what]] if "what" in params.values else [*KINDS.values()]
    figures = [_figure(kind, chosen) for kind in kinds if kind.by or not chosen.by]
    context: Mapping[str, Any] = {
        "chosen": chosen,
        "figures": figures,
        "alone": "what" in params.values,
        "times": TIMES,
        "clouds": [cloud.name for cloud in Cloud.objects.only("name").order_by("name")],
        "sites": [site.name for site in Site.objects.only("name").order_by("name")],
        "json_url": f"?{chosen.query(format='json')}",
        "dwell_url": f"{reverse('monitor:dwell')}?{chosen.query(what='', by='')}",
        **ages(),
    }
    links = [{"what": f.kind.key, "title": f.kind.title, "data": f.src} for f in figures]
    data = {"place": chosen.place, "hours": chosen.hours, "plots": links, **ages()}
    return respond(request, "monitor/plots/plots.html", data=data, context=context, now=now)


def _figure(kind: Kind, chosen: Choice) -> Figure:
    src = f"{reverse('monitor:plot_data')}?{chosen.query(what=kind.key)}"
    alone = f"{reverse('monitor:plots')}?{chosen.query(what=kind.key)}"
    return Figure(kind=kind, src=src, csv=f"{src}&format=csv", alone=alone)


class StaySheet(Sheet):
    """How long jobs stay in states."""

    site = column("Site", "the site that the jobs ended at")
    state = column("State", "the state that they were in")
    stays = column("Stays", "how often a job of the time was in it", look="n")
    p50 = column("p50", "half of the stays were not longer", look="n")
    p90 = column("p90", "nine tenths of the stays were not longer", look="n")

    def render_site(self, value: str) -> str:
        return format_html('<a href="{}">{}</a>', reverse("monitor:site", args=[value]), value)

    def render_state(self, value: str) -> str:
        return badge(value)

    def render_p50(self, record: spreads.Stay) -> str:
        return record.half

    def render_p90(self, record: spreads.Stay) -> str:
        return record.most


@page
def dwell(request: HttpRequest) -> HttpResponseBase:
    """Site by site, how long jobs that ended stayed in each state."""
    known = [name for name in choices.KNOWN if name not in ("what", "by")]
    params = Params(request.GET, known={*known, *sheets.PARAMS})
    chosen, now = choices.parse(params), database_now()
    sheet = StaySheet(spreads.dwell_by_site(chosen, now=now))
    context = {"chosen": chosen, "times": TIMES, **ages()}
    facts = {"place": chosen.place, "hours": chosen.hours, **ages()}
    return sheets.respond(
        request,
        "monitor/plots/dwell.html",
        sheet,
        params=params,
        context=context,
        now=now,
        facts=facts,
    )
