"""Pilots: the latest that appeared, or those of a site; and how sites' pilots were answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from brokerage.models import Site
from jobs.models import Pilot
from monitor import columns
from monitor.grid import answers
from monitor.grid.answers import OUTCOMES, Answers
from monitor.lists import chosen
from monitor.params import Params
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column
from monitor.words import window_start

MOST = 1000  # pilots of one list
LOOKED_AT = 20_000  # the latest to appear, where no site is named
HAD = {"yes": "had a job", "no": "never had a job"}


def _page(record: Pilot) -> str:
    return reverse("monitor:pilot", args=[record.site.name, record.pilot_id])


class PilotSheet(Sheet):
    """Pilots, by what they said of themselves."""

    pilot_id = columns.link("Pilot", "pilotID; its page with its jobs", url=_page)
    site = columns.link(
        "Site",
        "that it calls from",
        accessor="site__name",
        url=lambda record: reverse("monitor:site", args=[record.site.name]),
    )
    node = columns.link(
        "Node",
        "worker node; its jobs",
        url=lambda record: jobs_url(site=record.site.name, node=record.node),
        look="cut",
    )
    factory = column("Factory", "that sent it, as it said")
    first_contact = columns.time("First call (UTC)", "when it first asked for work")
    last_contact = columns.time("Last call (UTC)", "when it last asked for work")
    claims = columns.number("Calls", "requests for work")
    jobs = columns.number("Jobs", "that it was given")
    cpu_speed_mhz = columns.number("CPU MHz", "speed of a core")
    memory_mb = columns.number("Memory MB", "that a job may use")
    free_disk_mb = columns.number("Free disk MB", "at its last call")

    class Meta(Sheet.Meta):
        empty_text = (
            "No pilot fits. Without a site only the latest ones are looked at: name a site."
        )


def read(params: Params, *, now: dt.datetime) -> list[Pilot]:
    """The pilots that the address asks for, the latest first; at most MOST."""
    pilots = Pilot.objects.select_related("site")
    if site := chosen(params, "site", Site):
        rows, order = pilots.filter(_wanted(params, now), site=site), "-last_contact"
    else:
        rows, order = _latest(pilots).filter(_wanted(params, now)), "-pk"
    return list(rows.order_by(order)[:MOST])


def _latest(pilots: QuerySet[Pilot]) -> QuerySet[Pilot]:
    """Those that appeared last: no time of a pilot has an index, since each call writes them."""
    keys = Pilot.objects.order_by("-pk").values_list("pk", flat=True)
    last = list(keys[LOOKED_AT - 1 : LOOKED_AT])
    return pilots.filter(pk__gte=last[0]) if last else pilots


def _wanted(params: Params, now: dt.datetime) -> Q:
    wanted = Q()
    for name in ("node", "factory"):
        if text := params.text(name):
            wanted &= Q(**{name: text})
    if had := params.choice("job", HAD):
        wanted &= Q(jobs__gt=0) if had == "yes" else Q(jobs=0)
    if hours := params.hours("window"):
        wanted &= Q(last_contact__gte=window_start(now, hours))
    return wanted


@dataclass(frozen=True, kw_only=True)
class SiteAnswers:
    """How the pilots of a site were answered within the window."""

    site: Site
    answers: Answers

    name = property(lambda self: self.site.name)
    cloud = property(lambda self: self.site.cloud.name)
    status = property(lambda self: self.site.status)
    total = property(lambda self: self.answers.total)
    job = property(lambda self: self.answers.jobs)
    no_job_pct = property(lambda self: self.answers.no_job_pct)
    no_job = property(lambda self: self.answers.by_outcome.get("no_job", 0))
    site_offline = property(lambda self: self.answers.by_outcome.get("site_offline", 0))
    site_downtime = property(lambda self: self.answers.by_outcome.get("site_downtime", 0))
    site_full = property(lambda self: self.answers.by_outcome.get("site_full", 0))
    node_banned = property(lambda self: self.answers.by_outcome.get("node_banned", 0))


class AnswerSheet(Sheet):
    """Answers by site and outcome."""

    name = columns.link(
        "Site", "the site's page", url=lambda record: reverse("monitor:site", args=[record.name])
    )
    cloud = column("Cloud", "of the site")
    status = column("Status", "of the site", kind=columns.WordColumn, start="site-")
    total = columns.number("Answers", "jobs handed out, and refusals")
    no_job_pct = columns.percent("No job %", "refusals of all answers")
    job = columns.number("job", OUTCOMES["job"])
    no_job = columns.number("no_job", OUTCOMES["no_job"])
    site_offline = columns.number("site_offline", OUTCOMES["site_offline"])
    site_downtime = columns.number("site_downtime", OUTCOMES["site_downtime"])
    site_full = columns.number("site_full", OUTCOMES["site_full"])
    node_banned = columns.number("node_banned", OUTCOMES["node_banned"])

    class Meta(Sheet.Meta):
        empty_text = "No pilot has called within the window."


def answered(*, now: dt.datetime, hours: int, site: Site | None) -> Sequence[SiteAnswers]:
    """Sites whose pilots called within the window, who asked most first."""
    found = answers.by_site(now=now, hours=hours)
    sites = Site.objects.select_related("cloud").filter(pk__in=found)
    rows = [
        SiteAnswers(site=one, answers=found[one.pk]) for one in sites if site is None or one == site
    ]
    return sorted(rows, key=lambda row: (-row.total, row.name))
