"""The page of a site: simple, but with everything that is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from brokerage.models import BannedNode, Downtime, InstalledRelease, Site, SiteStatusChange
from datasets.models import SiteStorage
from jobs import counts
from jobs.models import Pilot
from jobs.states import LEASED, JobState
from monitor.dashboard import status_json
from monitor.grid import answers
from monitor.grid.answers import OUTCOMES, Answers
from monitor.grid.demand import Demand, demand
from monitor.rows import Cell, Links, Row, cells
from monitor.space import SpaceLine, space_line
from monitor.words import DEFAULT_HOURS, PILOT_HOURS, window_start
from pandasite.base.errors import NotThere

PILOTS_SHOWN = 100
DOWNTIMES_SHOWN = 20
STATUSES = {
    Site.Status.ONLINE: "it takes jobs",
    Site.Status.BROKEROFF: "no new jobs from brokerage",
    Site.Status.TEST: "test and install jobs alone",
    Site.Status.OFFLINE: "no jobs at all",
}


@dataclass(frozen=True, kw_only=True)
class SitePage:
    """A site: its facts, status and history, storage, releases and pilots."""

    site: Site
    row: Row
    cells: Sequence[Cell]
    history: Sequence[SiteStatusChange]
    storages: Sequence[SpaceLine]
    releases: Sequence[InstalledRelease]
    pilots: Sequence[Pilot]
    pilots_total: int
    banned: Sequence[BannedNode]
    vos: Sequence[str]
    admin_url: str
    downtimes: Sequence[Downtime]
    answers: Answers
    demand: Demand
    now: dt.datetime

    @property
    def plot_url(self) -> str:
        """The data of the plot of its jobs by state."""
        return f"{reverse('monitor:plot_data')}?what=states&hours=24&site={self.site.name}"

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Those that it may be given, with their meanings."""
        return [(s.value, words) for s, words in STATUSES.items() if s.value != self.site.status]

    @property
    def away(self) -> Sequence[Downtime]:
        """Downtimes that go on."""
        return [one for one in self.downtimes if one.start <= self.now < one.end]

    @property
    def answered(self) -> Sequence[tuple[str, str, int]]:
        """Outcome, meaning and number of the answers of the last hours."""
        return [(word, OUTCOMES.get(word, ""), n) for word, n in self.answers.by_outcome.items()]

    def as_json(self) -> dict[str, Any]:
        """The facts; memory and scratch in MB, CPU speed in MHz, wall time in s.

        `job_cap` is how many jobs pilots may hold there at once, 0 = no limit.
        """
        site = self.site
        names = (
            "tier", "type", "flavour", "memory_mb", "cpu_speed_mhz", "slots", "job_cap",
            "max_core_count", "wall_seconds", "scratch_mb",
        )  # fmt: skip
        return {
            "name": site.name,
            "cloud": site.cloud.name,
            **{name: getattr(site, name) for name in names},
            "vos": [*self.vos],
            "status": status_json(site),
            "jobs": self.row.as_json(),
            "history": [_change_json(change) for change in self.history],
            "storage": [line.as_json() for line in self.storages],
            "releases": [
                {
                    "release": i.release.atlas_release,
                    "cmt_config": i.release.cmt_config,
                    "validated": i.validated,
                }
                for i in self.releases
            ],
            "pilots": {"n": self.pilots_total, "latest": [_pilot_json(p) for p in self.pilots]},
            "answers": dict(self.answers.by_outcome),
            "pilots_wanted": {"n": self.demand.wanted, "limit": self.demand.limit},
            "downtimes": [_downtime_json(one) for one in self.downtimes],
        }


def _change_json(change: SiteStatusChange) -> dict[str, Any]:
    return {
        "at": change.at,
        "by": change.author,
        "from": change.from_status,
        "to": change.to_status,
        "reason": change.reason,
    }


def _downtime_json(one: Downtime) -> dict[str, Any]:
    names = ("start", "end", "severity", "description", "link")
    return {**{name: getattr(one, name) for name in names}, "by": one.author}


def _pilot_json(pilot: Pilot) -> dict[str, Any]:
    names = (
        "pilot_id", "node", "factory", "cpu_speed_mhz", "memory_mb", "free_disk_mb",
        "first_contact", "last_contact", "claims", "jobs",
    )  # fmt: skip
    return {name: getattr(pilot, name) for name in names}


def read_site(name: str, *, now: dt.datetime) -> SitePage:
    """A site by name; NotThere when there is none."""
    site = Site.objects.select_related("cloud").filter(name=name).first()
    if site is None:
        raise NotThere(f"there is no site {name[:80]}")
    row = _site_row(site, now=now)
    links = Links.of(window=f"{DEFAULT_HOURS}h", pilots="#pilots", site=site.name)
    since = now - dt.timedelta(hours=PILOT_HOURS)
    seen = Pilot.objects.filter(site=site, last_contact__gte=since).order_by("-last_contact")
    storages = SiteStorage.objects.filter(site=site).select_related("site", "storage")
    return SitePage(
        site=site,
        row=row,
        cells=cells(row, links),
        history=list(site.status_changes.order_by("-at")[:50]),
        storages=[space_line(link, now=now) for link in storages.order_by("storage__name")],
        releases=list(
            site.installed.select_related("release").order_by("release__name", "release__version")
        ),
        pilots=list(seen[:PILOTS_SHOWN]),
        pilots_total=row.pilots,
        banned=list(
            BannedNode.objects.in_force(now)
            .filter(site=site)
            .select_related("author")
            .order_by("node")
        ),
        vos=[vo.name for vo in site.vos.all()],
        admin_url=_admin_url(site),
        downtimes=list(site.downtimes.all()[:DOWNTIMES_SHOWN]),
        answers=_answers(site, now=now),
        demand=_demand(site, row),
        now=now,
    )


def _answers(site: Site, *, now: dt.datetime) -> Answers:
    found = answers.by_site(now=now, hours=DEFAULT_HOURS)
    return found.get(site.pk, Answers(by_outcome={}))


def _demand(site: Site, row: Row) -> Demand:
    return demand(
        activated=row.states[JobState.ACTIVATED],
        held=sum(row.states[state] for state in LEASED),
        slots=site.slots,
        cap=site.job_cap,
        status=site.status,
    )


def _site_row(site: Site, *, now: dt.datetime) -> Row:
    since = window_start(now, DEFAULT_HOURS)
    lately = now - dt.timedelta(hours=PILOT_HOURS)
    pilots = Pilot.objects.filter(site=site)
    row = Row(
        name=site.name,
        nodes=pilots.filter(last_contact__gte=since).values("node").distinct().count(),
        pilots=pilots.filter(last_contact__gte=lately).count(),
    )
    for count in counts.read(ended_since=since):
        if count.site_id == site.pk:
            row.count(count)
    return row


def _admin_url(site: Site) -> str:
    try:
        return reverse("admin:brokerage_site_change", args=[site.pk])
    except NoReverseMatch:
        return ""
