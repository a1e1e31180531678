"""Where jobs fail: by site and computing element, and by the grid that a site belongs to.

A job knows no computing element. The nearest that is known is the domain of its worker node: the
part of a site whose nodes are named alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html

from brokerage.models import Site
from jobs import ends
from jobs.ends import Sum
from jobs.errors import meaning
from monitor.errors.loss import Totals, percent, totals
from monitor.errors.scope import NO_CODE, Scope
from monitor.rows import FAILURE_PERCENT, FEW_JOBS
from monitor.sheets import Sheet, column
from monitor.words import NONE


@dataclass(frozen=True, kw_only=True)
class Place:
    """Ended jobs of a site and domain, and its most frequent error."""

    site: str
    domain: str
    grid: str
    finished: int
    failed: int
    busy_s: int
    lost_s: int
    top: str
    top_n: int
    summary_url: str
    jobs_url: str

    @property
    def rate(self) -> float | None:
        """Failed of those that finished or failed, percent."""
        return percent(self.failed, self.finished + self.failed)

    @property
    def bad(self) -> bool:
        return self.finished + self.failed >= FEW_JOBS and (self.rate or 0) > FAILURE_PERCENT

    @property
    def wall_hours(self) -> float:
        return round(self.busy_s / 3600, 1)

    @property
    def lost_hours(self) -> float:
        return round(self.lost_s / 3600, 1)

    @property
    def top_help(self) -> str:
        if not self.top or self.top == NO_CODE:
            return ""
        component, _colon, code = self.top.partition(":")
        return meaning(component, int(code))


class PlaceSheet(Sheet):
    """A row for each site and domain."""

    site = column("Site", "where the jobs ran")
    domain = column(
        "Computing element",
        "the domain of the worker nodes: jobs do not say which computing element they came"
        " through; empty where names of nodes have no domain",
    )
    grid = column("Grid", "middleware of the site")
    finished = column("Finished", "jobs", look="n")
    failed = column("Failed", "jobs; with an error in the address: those that carry it", look="n")
    rate = column("Failed %", "failed / (finished + failed)", look="n")
    wall_hours = column("Wall hrs", "wall time times cores of all ended jobs", look="n")
    lost_hours = column("CPU-hrs lost", "CPU time of the failed ones", look="n")
    top = column("Most frequent error", "and how many jobs carry it", order_by=("top_n",))

    class Meta(Sheet.Meta):
        attrs = {"class": "plain", "aria-label": "Sites"}
        empty_text = "No job has ended here. Take a filter away, or a longer window."

    def render_site(self, record: Place) -> str:
        return format_html('<a href="{}">{}</a>', record.summary_url, record.site)

    def render_failed(self, record: Place) -> str:
        if not (record.failed and record.jobs_url):
            return str(record.failed)
        return format_html('<a href="{}">{}</a>', record.jobs_url, record.failed)

    def render_rate(self, record: Place) -> str:
        if record.rate is None:
            return ""
        if record.bad:
            return format_html('<strong class="red" title="many">! {}</strong>', record.rate)
        return str(record.rate)

    def render_top(self, record: Place) -> str:
        if not record.top:
            return ""
        return format_html(
            '<code title="{}">{}</code> {} <span class="hint">{}</span>',
            record.top_help, record.top, record.top_n, record.top_help,
        )  # fmt: skip


def read(scope: Scope) -> list[Place]:
    """Sites and domains, those with the most failures first."""
    sums = ends.errors(
        scope.span, by=("site_id", "domain", "state", "component", "code"), **scope.narrowing
    )
    found: defaultdict[tuple[int, str], list[Sum]] = defaultdict(list)
    for one in sums:
        found[one.key[0], one.key[1]].append(one)
    domains = Counter(site_id for site_id, _domain in found)
    places = [
        _place(key, some, scope, alone=domains[key[0]] == 1 and scope.domain is None)
        for key, some in found.items()
    ]
    if scope.error is not None:
        places = [place for place in places if place.failed]
    return sorted(places, key=lambda place: (-place.failed, place.site, place.domain))


def _place(key: tuple[int, str], sums: Sequence[Sum], scope: Scope, *, alone: bool) -> Place:
    """`alone`: all of the site, so that the job list can show just these jobs."""
    site_id, domain = key
    site = scope.sites.get(site_id)
    whole = totals(sums)
    errors = [one for one in sums if one.key[3] and _wanted(one, scope)]
    top = max(errors, key=lambda one: one.n, default=None)
    narrow = {"site": site.name if site else NONE, "ce": domain or NONE}
    asked = scope.error is not None
    return Place(
        site=site.name if site else "no site",
        domain=domain,
        grid=site.flavour if site else "",
        finished=whole.finished,
        failed=sum(one.n for one in errors) if asked else whole.failed,
        busy_s=whole.busy_s,
        lost_s=sum(one.cpu_s for one in errors) if asked else whole.lost_s,
        top=error_name(top) if top else "",
        top_n=top.n if top else 0,
        summary_url=scope.url("monitor:errors", **narrow),
        jobs_url=_jobs_url(scope, site) if alone else "",
    )


def _jobs_url(scope: Scope, site: Site | None) -> str:
    """The jobs; the job list knows no failures without a code."""
    if site is None or scope.given.get("error") == NO_CODE:
        return ""
    return scope.jobs_url(state="failed", site=site.name, cloud="")


def _wanted(one: Sum, scope: Scope) -> bool:
    if scope.error is None:
        return True
    component, code = scope.error
    return one.key[-2] == component and code in (None, one.key[-1])


def error_name(one: Sum) -> str:
    """As filters take it."""
    component, code = one.key[-2:]
    return NO_CODE if component == NO_CODE else f"{component}:{code}"


# -- grids -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Ended jobs of the sites of one middleware."""

    name: str
    sites: int
    totals: Totals
    url: str

    def as_json(self) -> dict[str, Any]:
        """Hours of wall time and CPU."""
        return {
            "grid": self.name,
            "sites": self.sites,
            "finished": self.totals.finished,
            "failed": self.totals.failed,
            "failed_percent": self.totals.failed_percent,
            "wall_hours": round(self.totals.busy_hours, 1),
            "losses": {loss.name: loss.as_json() for loss in self.totals.losses},
        }


def grids(scope: Scope) -> list[Grid]:
    """Every middleware that there is, with or without sites."""
    sums = ends.errors(scope.span, by=("site_id", "state", "component", "code"), **scope.narrowing)
    found: defaultdict[str, list[Sum]] = defaultdict(list)
    for one in sums:
        if site := scope.sites.get(one.key[0]):
            found[site.flavour].append(one)
    return [
        Grid(
            name=name,
            sites=_sites_of(name, scope.sites.values()),
            totals=totals(found[name]),
            url=scope.url("monitor:errors_grid", name, grid=""),
        )
        for name in Site.Flavour.values
    ]


def _sites_of(grid: str, sites: Iterable[Site]) -> int:
    return sum(site.flavour == grid for site in sites)
