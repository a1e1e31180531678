"""All sites with status, reason, author, downtime, parameters and their jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from brokerage.models import VO, Cloud, Downtime, Site
from jobs import counts
from jobs.states import JobState
from monitor import columns, lists
from monitor.grid.factories import pilots_of_late
from monitor.lists import Field, chosen
from monitor.moments import in_zones
from monitor.params import Params
from monitor.rows import Row, jobs_url
from monitor.sheets import Sheet, column
from monitor.words import DEFAULT_HOURS, PILOT_HOURS, window_start

FILTERS = ("cloud", "status", "type", "tier", "flavour", "vo", "name")


@dataclass(frozen=True, kw_only=True)
class SiteRow:
    """A site with the numbers of the dashboard."""

    site: Site
    row: Row
    pilots: int
    downtime: Downtime | None  # that goes on or comes next
    now: dt.datetime

    def __getattr__(self, name: str) -> Any:
        return getattr(self.site, name)

    cloud = property(lambda self: self.site.cloud.name)
    vos = property(lambda self: ", ".join(sorted(vo.name for vo in self.site.vos.all())))
    activated = property(lambda self: self.row.states[JobState.ACTIVATED])
    running = property(lambda self: self.row.states[JobState.RUNNING])
    finished = property(lambda self: self.row.states[JobState.FINISHED])
    failed = property(lambda self: self.row.states[JobState.FAILED])
    failed_pct = property(lambda self: self.row.tot)
    memory = property(lambda self: self.site.memory_mb or None)
    cap = property(lambda self: self.site.job_cap or None)
    scratch = property(lambda self: self.site.scratch_mb or None)

    @property
    def downtime_words(self) -> str:
        """Its downtime in words; '' without one."""
        return downtime_words(self.downtime, now=self.now) if self.downtime else ""


def downtime_words(downtime: Downtime, *, now: dt.datetime) -> str:
    """`outage until 11-27 18:00 UTC: new cooling`, or from when on, where it is to come."""
    when = f"until {downtime.end:%m-%d %H:%M} UTC"
    if downtime.start > now:
        when = f"from {downtime.start:%m-%d %H:%M} {when}"
    return f"{downtime.severity} {when}: {downtime.description}"


def _jobs(state: str, **more: str) -> columns.Url:
    return lambda record: jobs_url(site=record.site.name, state=state, **more)


ENDED = f"{DEFAULT_HOURS}h"


class SiteSheet(Sheet):
    """Sites."""

    name = columns.link(
        "Site", "the site's page", url=lambda record: reverse("monitor:site", args=[record.name])
    )
    cloud = column("Cloud", "that it belongs to")
    tier = column("Tier", "1 is the centre of its cloud", look="n")
    status = column(
        "Status",
        "online; brokeroff: gets no new jobs; test: only test jobs; offline: hands out none",
        kind=columns.WordColumn,
        start="site-",
    )
    status_at = columns.time("Since (UTC)", "when the status was set")
    status_by = column("By", "who set the status")
    status_reason = column("Reason", "why", look="wrap")
    downtime_words = column("Downtime", "that goes on, or comes next", look="wrap")
    activated = columns.number("Activated", "jobs that wait for a pilot", url=_jobs("activated"))
    running = columns.number("Running", "jobs", url=_jobs("running"))
    finished = columns.number(
        "Finished", f"within {DEFAULT_HOURS} hours", url=_jobs("finished", ended=ENDED)
    )
    failed = columns.number(
        "Failed", f"within {DEFAULT_HOURS} hours", url=_jobs("failed", ended=ENDED)
    )
    failed_pct = columns.percent("Failed %", "failed / (finished + failed)")
    pilots = columns.number(f"Pilots ({PILOT_HOURS}h)", f"that called within {PILOT_HOURS} hours")
    type = column("Takes", "production, analysis or both")
    flavour = column("Middleware", "grid flavour")
    slots = columns.number("Slots", "that the site has")
    cap = column("Cap", "jobs that pilots may hold at once; empty: no limit", look="n")
    max_core_count = column("Cores", "per job at most", look="n")
    memory = column("Memory MB", "per slot; empty: any", look="n")
    scratch = column("Scratch MB", "per slot; empty: not said", look="n")
    cpu_speed_mhz = columns.number("CPU MHz", "of a core; 0: not said")
    wall_seconds = column(
        "Wall limit", "longest that a job may run; empty: none", kind=columns.SpanColumn, look="n"
    )
    vos = column("VOs", "allowed; empty: all")

    class Meta(Sheet.Meta):
        empty_text = "No site fits. Take a filter away, or make a site in the admin."

    def render_downtime_words(self, record: SiteRow) -> str:
        return in_zones(record.downtime_words, now=record.now)


SHOWN = (
    "name", "cloud", "tier", "status", "status_at", "status_by", "status_reason", "downtime_words",
    "activated", "running", "finished", "failed", "failed_pct", "pilots", "slots",
)  # fmt: skip


def read(params: Params, *, now: dt.datetime) -> list[SiteRow]:
    """The sites that the address asks for, by cloud, tier and name."""
    sites = Site.objects.select_related("cloud").prefetch_related("vos").filter(**_wanted(params))
    if vo := chosen(params, "vo", VO):
        sites = sites.filter(vos=vo)
    rows = _rows(now)
    pilots, downtimes = pilots_of_late(now), next_downtimes(now)
    return [
        SiteRow(
            site=site,
            row=rows.get(site.pk, Row(name=site.name)),
            pilots=pilots.get(site.pk, 0),
            downtime=downtimes.get(site.pk),
            now=now,
        )
        for site in sites
    ]


def _wanted(params: Params) -> dict[str, Any]:
    cloud = chosen(params, "cloud", Cloud)
    given: Mapping[str, Any] = {
        "cloud": cloud,
        "status": params.choice("status", Site.Status.values),
        "type": params.choice("type", Site.Type.values),
        "flavour": params.choice("flavour", Site.Flavour.values),
        "tier": params.number("tier", low=0, high=9),
        "name__icontains": params.text("name"),
    }
    return {name: value for name, value in given.items() if value not in (None, "")}


def _rows(now: dt.datetime) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for count in counts.read(ended_since=window_start(now, DEFAULT_HOURS)):
        rows.setdefault(count.site_id, Row(name="")).count(count)
    return rows


def next_downtimes(now: dt.datetime) -> dict[int, Downtime]:
    """By site, the downtime that goes on or comes next."""
    found: dict[int, Downtime] = {}
    for downtime in Downtime.objects.to_come(now).order_by("start"):
        found.setdefault(downtime.site_id, downtime)
    return found


def fields(params: Params) -> Sequence[Field]:
    """The form of the filters."""
    options = {
        "status": Site.Status.values,
        "cloud": lists.names(Cloud),
        "type": Site.Type.values,
        "flavour": Site.Flavour.values,
        "vo": lists.names(VO),
        "tier": [*map(str, range(4))],
    }
    titles = {"type": "Takes", "flavour": "Middleware", "vo": "VO"}
    return [
        Field(name="name", title="Name has", value=params.text("name")),
        *(
            Field(
                name=name,
                title=titles.get(name, name.capitalize()),
                value=params.text(name),
                options=lists.words(values),
            )
            for name, values in options.items()
        ),
    ]
