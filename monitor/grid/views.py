"""Pilots, factories and sites."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse

from brokerage.models import Site
from monitor import lists, sheets
from monitor.grid import answers, factories, pilotlist, pilotpage, sitelist
from monitor.grid.factories import DemandSheet, FactorySheet
from monitor.grid.pilotlist import HAD, AnswerSheet, PilotSheet
from monitor.grid.sitelist import SiteSheet
from monitor.lists import Field, ListPage, chosen
from monitor.pages import page
from monitor.params import Params
from monitor.words import plural
from pandasite.base.clock import database_now

SPANS = [("3h", "3 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d")]
HOURS = 24
LONGEST = 31 * 24  # answers are kept for so many hours


@page
def pilots(request: HttpRequest) -> HttpResponseBase:
    """The latest pilots, or those of a site."""
    params = Params(request.GET, known=lists.known("site", "node", "factory", "job", "window"))
    now = database_now()
    rows = pilotlist.read(params, now=now)
    notes = []
    if not params.text("site"):
        latest = f"the latest {pilotlist.LOOKED_AT:,} pilots to appear"
        notes.append(f"Without a site, {latest} are looked at: name a site to have all of its.")
    if len(rows) == pilotlist.MOST:
        notes.append(f"The first {pilotlist.MOST:,} are shown: narrow your search.")
    given = params.text
    shown = ListPage(
        name="pilots",
        title="Pilots",
        intro="Programs on worker nodes that have asked for work, by what they said of themselves.",
        fields=[
            Field(name="site", title="Site", value=given("site"), known=lists.names(Site)),
            Field(name="node", title="Node", value=given("node")),
            Field(name="factory", title="Factory", value=given("factory")),
            Field(name="job", title="Jobs", value=given("job"), options=[*HAD.items()]),
            Field(name="window", title="Called within", value=given("window"), options=SPANS),
        ],
        notes=notes,
        links=[
            ("Answers by site", reverse("monitor:pilot_answers")),
            ("Factories", reverse("monitor:autopilot")),
        ],
    )
    return lists.respond(request, shown, PilotSheet(rows), params=params, now=now)


@page
def pilot(request: HttpRequest, site: str, pilot_id: str) -> HttpResponseBase:
    """One pilot with its jobs."""
    params = Params(request.GET, known=sheets.PARAMS)
    now = database_now()
    found, jobs = pilotpage.read(site, pilot_id)
    said = pilotpage.Said.of(jobs)
    return sheets.respond(
        request,
        "monitor/grid/pilot.html",
        pilotpage.PilotJobSheet(jobs),
        params=params,
        context={
            "pilot": found,
            "said": said,
            "no_job": pilotpage.no_job_percent(found),
            "most": pilotpage.MOST,
            "cut": len(jobs) == pilotpage.MOST,
        },
        now=now,
        facts=pilotpage.facts(found, said),
    )


@page
def pilot_answers(request: HttpRequest) -> HttpResponseBase:
    """How the pilots of each site were answered."""
    params = Params(request.GET, known=lists.known("site", "window"))
    site, now = chosen(params, "site", Site), database_now()
    hours = params.hours("window", longest=LONGEST) or HOURS
    shown = ListPage(
        name="pilot_answers",
        title="Answers to pilots",
        intro=f"How claims were answered in the last {hours} hours, by site and outcome.",
        fields=[
            Field(name="site", title="Site", value=params.text("site"), known=lists.names(Site)),
            Field(
                name="window",
                title="Window",
                value=params.values.get("window", f"{HOURS}h"),
                options=SPANS,
                any="",
            ),
        ],
        links=[("Pilots", reverse("monitor:pilots"))],
        plot=_plot(site, hours),
        plot_title="Answers per hour by outcome" + (f" at {site.name}" if site else ""),
    )
    rows = pilotlist.answered(now=now, hours=hours, site=site)
    return lists.respond(request, shown, AnswerSheet(rows), params=params, now=now)


def _plot(site: Site | None, hours: int) -> str:
    query = {"window": f"{hours}h"} | ({"site": site.name} if site else {})
    return f"{reverse('monitor:pilot_answers_data')}?{urlencode(query)}"


@page
def pilot_answers_data(request: HttpRequest) -> HttpResponseBase:
    """The answers of each hour, for a plot."""
    params = Params(request.GET, known=("site", "window", "format"))
    params.choice("format", ("json",))
    site = chosen(params, "site", Site)
    hours = params.hours("window", longest=LONGEST) or HOURS
    key = site.pk if site else None
    return JsonResponse(answers.series(now=database_now(), hours=hours, site=key))


@page
def autopilot(request: HttpRequest) -> HttpResponseBase:
    """Pilots by factory, or what each site could use."""
    params = Params(request.GET, known=lists.known("by"))
    by = params.choice("by", ("factory", "site"), default="factory")
    now = database_now()
    sheet: sheets.Sheet
    if by == "factory":
        sheet = FactorySheet(factories.factories())
        intro = "Factories whose pilots called within 24 hours, and what became of them."
    else:
        sheet = DemandSheet(factories.demands(now=now))
        intro = "How many more pilots would find a job at once, site by site, and what limits it."
    options = [("factory", "factory"), ("site", "site: what is wanted")]
    shown = ListPage(
        name="autopilot",
        title="AutoPilot",
        intro=intro,
        fields=[Field(name="by", title="By", value=by, options=options, any="")],
        ages=[lists.sweep_age("pilots counted", "jobs.tally_live")] if by == "factory" else [],
        links=[
            ("Pilots", reverse("monitor:pilots")),
            ("Answers", reverse("monitor:pilot_answers")),
        ],
    )
    return lists.respond(request, shown, sheet, params=params, now=now)


@page
def sites(request: HttpRequest) -> HttpResponseBase:
    """All sites."""
    params = Params(request.GET, known=lists.known(*sitelist.FILTERS))
    now = database_now()
    rows = sitelist.read(params, now=now)
    away = [row for row in rows if row.site.status != Site.Status.ONLINE]
    shown = ListPage(
        name="sites",
        title="Sites & grids",
        intro="Queues at computing sites: who set their status and why, and what they are at.",
        fields=sitelist.fields(params),
        shown=sitelist.SHOWN,
        notes=[_not_online(len(away))] if away else [],
        links=[("What they could use", f"{reverse('monitor:autopilot')}?by=site")],
    )
    return lists.respond(request, shown, SiteSheet(rows), params=params, now=now)


def _not_online(n: int) -> str:
    return f"{plural(n, 'site')} of these {'is' if n == 1 else 'are'} not online."
