"""The dashboard, assembled from what `queries` has read. Pure but for the one function `read`."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.urls import reverse

from brokerage.models import Cloud, Site
from monitor import queries
from monitor.attention import SHOWN, Item
from monitor.bamboo import lamp
from monitor.checklist import Check, Seen, checklist, to_look_at
from monitor.ddm.lately import Lately
from monitor.logger import lamp as logger_lamp
from monitor.models import LinkBlock
from monitor.queries import Facts
from monitor.rows import Cell, Links, Row, cells
from monitor.servers import Host, Lamp, Sweep, database_lamp, hosts, lamps, sweeps
from monitor.siterows import rows_of, worst
from monitor.space import SpaceLine, space
from monitor.strip import NO_CLOUD, StaleCount, TaskCount, link_json, stale_counts, task_counts
from monitor.words import KINDS, NONE, plural
from pandasite.base import health


@dataclass(frozen=True, kw_only=True)
class Line:
    """A table row: of a site, of jobs without one, of a cloud or of all."""

    row: Row
    cells: Sequence[Cell]
    url: str = ""
    site: Site | None = None

    @property
    def note(self) -> str:
        """Why the site takes no work; '' when it is online."""
        site = self.site
        return status_words(site) if site and site.status != Site.Status.ONLINE else ""

    def as_json(self) -> dict[str, Any]:
        """The numbers, with the status of a site."""
        return self.row.as_json() | ({"status": status_json(self.site)} if self.site else {})


@dataclass(frozen=True, kw_only=True)
class Block:
    """A cloud with its totals and a line per site."""

    cloud: Cloud
    total: Line
    lines: Sequence[Line]
    space: Sequence[SpaceLine] = ()

    @property
    def note(self) -> str:
        """Why the cloud takes no production; '' when it is online."""
        return "" if self.cloud.status == Cloud.Status.ONLINE else status_words(self.cloud)

    def as_json(self) -> dict[str, Any]:
        """The totals with the sites and their storage."""
        return self.total.row.as_json() | {
            "status": self.cloud.status,
            "sites": [line.as_json() for line in self.lines],
            "space": [line.as_json() for line in self.space],
        }


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """All that the page shows; `as_json` is the same for programs."""

    now: dt.datetime
    since: dt.datetime
    hours: int
    kind: str
    blocks: Sequence[Block]
    unplaced: Line
    total: Line
    stale: Sequence[StaleCount]
    sweeps: Sequence[Sweep]
    database: Lamp
    lamps: Sequence[Lamp] = ()
    tasks: Sequence[TaskCount] = ()
    tasks_at: dt.datetime | None = None  # None: not counted yet
    links: Sequence[LinkBlock] = ()
    checks: Sequence[Check] = ()
    ddm: Lately = field(default_factory=Lately)

    @cached_property
    def attention(self) -> list[Item]:
        """What the checks have found, alerts first."""
        return to_look_at(self.checks)

    @property
    def headline(self) -> str:
        """The state of everything in a few words, for the title of the page."""
        n = len(self.attention)
        return f"{plural(n, 'thing')} to look at" if n else "All is well"

    @property
    def checked(self) -> str:
        """How many points of the list are well."""
        well = sum(not check.items for check in self.checks)
        return f"{well} of {len(self.checks)} points are well"

    @property
    def hosts(self) -> list[Host]:
        """Which machines the background work runs on."""
        return hosts(self.sweeps)

    def as_json(self) -> dict[str, Any]:
        """The page's numbers; times in UTC, percentages whole, space in GB."""
        return {
            "window": {"hours": self.hours, "ended_since": self.since},
            "kind": self.kind or "all",
            "ddm": self.ddm.as_json(),
            "checklist": [check.as_json() for check in self.checks],
            "attention": [item.as_json() for item in self.attention],
            # it is of now, and the same facts must not look like others
            "database": {"state": self.database.state, "details": self.database.details},
            "servers": [lamp.as_json() for lamp in self.lamps],
            "sweeps": [sweep.as_json() for sweep in self.sweeps],
            "active_tasks": {
                "as_of": self.tasks_at,
                "clouds": {count.cloud: count.n for count in self.tasks},
            },
            "stale": {f"{stale.state}_over_{stale.hours}h": stale.n for stale in self.stale},
            "total": self.total.as_json(),
            "unplaced": self.unplaced.as_json(),
            "clouds": [block.as_json() for block in self.blocks],
            "links": [
                {"title": block.title, "links": [link_json(link) for link in block.links.all()]}
                for block in self.links
            ],
        }

    def as_rows(self) -> list[dict[str, Any]]:
        """The sites as flat rows, with the cloud of each, for a spreadsheet."""
        return [
            {"cloud": block.cloud.name, "status": line.site.status if line.site else ""}
            | line.row.as_json()
            for block in self.blocks
            for line in block.lines
        ]


def read(*, now: dt.datetime, hours: int, kind: str) -> Dashboard:
    """The dashboard as of `now`, from the database."""
    facts = queries.gather(now=now, hours=hours, kind=kind)
    rows = rows_of(facts)
    labels = KINDS[kind] if kind else None
    failing = worst(rows)[: SHOWN + 1]  # what attention has a line for
    tops = queries.top_errors(failing, since=facts.since, labels=labels) if failing else {}
    return assemble(facts, rows, tops, uptime=time.monotonic() - health.STARTED)


def assemble(
    facts: Facts,
    rows: Mapping[tuple[int, int], Row],
    tops: Mapping[int, queries.TopError],
    *,
    uptime: float,
) -> Dashboard:
    """Put rows into blocks and totals, and say what needs attention.

    `tops` are the most frequent errors by site, `uptime` the seconds that this process runs.
    """
    unplaced = _unplaced(facts, rows)
    blocks = [_block(cloud, facts, rows) for cloud in facts.clouds]
    total = Row.total("all", [unplaced, *(block.total.row for block in blocks)])
    stale = stale_counts(facts)
    seen = _seen(facts, rows, tops, stale=stale, uptime=uptime)
    database, *others = seen.lamps
    return Dashboard(
        blocks=blocks,
        unplaced=Line(row=unplaced, cells=cells(unplaced, _links(facts, cloud=NONE))),
        total=Line(row=total, cells=cells(total, _links(facts))),
        stale=stale,
        sweeps=seen.sweeps,
        database=database,
        lamps=others,
        checks=checklist(seen),
        **_of_facts(facts),
    )


def _of_facts(facts: Facts) -> dict[str, Any]:
    """What the page shows as it was read."""
    return {
        "now": facts.now,
        "since": facts.since,
        "hours": facts.hours,
        "kind": facts.kind,
        "tasks": task_counts(facts),
        "tasks_at": facts.tasks.at if facts.tasks else None,
        "links": facts.links,
        "ddm": facts.ddm,
    }


def _seen(
    facts: Facts,
    rows: Mapping[tuple[int, int], Row],
    tops: Mapping[int, queries.TopError],
    *,
    stale: Sequence[StaleCount],
    uptime: float,
) -> Seen:
    """What the checks look at; the lamp of the database is the first."""
    return Seen(
        facts=facts,
        rows=rows,
        tops=tops,
        sweeps=sweeps(facts.sweeps, settings.EXPECTED_SWEEPS, now=facts.now, uptime=uptime),
        lamps=[
            database_lamp(facts.database, now=facts.now),
            *lamps(facts.processes, now=facts.now),
            *lamp.lamps(facts.bamboo, now=facts.now),
            logger_lamp.lamp(facts.logged, now=facts.now),
        ],
        stale=[(each.state, each.n) for each in stale],
    )


def _unplaced(facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Row:
    """The jobs that belong to no cloud."""
    known = {cloud.pk for cloud in facts.clouds}
    homeless = [row for (cloud_id, _site), row in rows.items() if cloud_id not in known]
    return Row.total(NO_CLOUD, homeless)


def _block(cloud: Cloud, facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Block:
    sites = {site.pk: site for site in facts.sites}
    mine = sorted(
        ((site_id, row) for (cloud_id, site_id), row in rows.items() if cloud_id == cloud.pk),
        key=lambda pair: (not pair[0], pair[1].name),  # those without a site come last
    )
    lines = [_site_line(row, sites.get(site_id), cloud, facts) for site_id, row in mine]
    total = Row.total(cloud.name, (line.row for line in lines))
    here = f"#cloud-{cloud.name}"
    links = _links(facts, cloud=cloud.name, pilots=here)
    return Block(
        cloud=cloud,
        total=Line(row=total, cells=cells(total, links), url=here),
        lines=lines,
        space=space(facts.storages, cloud=cloud, now=facts.now),
    )


def _site_line(row: Row, site: Site | None, cloud: Cloud, facts: Facts) -> Line:
    if site is None:
        links = _links(facts, cloud=cloud.name, site=NONE)
        return Line(row=row, cells=cells(row, links))
    page = reverse("monitor:site", args=[site.name])
    links = _links(facts, cloud=cloud.name, site=site.name, pilots=f"{page}#pilots")
    return Line(row=row, cells=cells(row, links), url=page, site=site)


def _links(facts: Facts, *, cloud: str = "", site: str = "", pilots: str = "") -> Links:
    window = f"{facts.hours}h"
    return Links.of(window=window, pilots=pilots, cloud=cloud, site=site, kind=facts.kind)


def status_words(place: Site | Cloud) -> str:
    """The status of a site or cloud with who set it, when, and why."""
    since = f" since {place.status_at:%m-%d %H:%M} UTC" if place.status_at else ""
    author = f", set by {place.status_by}" if place.status_by else ""
    return f"{place.status}{since}{author}: {place.status_reason or 'no reason given'}"


def status_json(site: Site) -> dict[str, Any]:
    """The status of a site as facts."""
    return {
        "status": site.status,
        "reason": site.status_reason,
        "by": site.status_by,
        "at": site.status_at,
    }
