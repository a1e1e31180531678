"""The list of nodes: what their jobs came to, which stand out, and which are banned."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Count
from django.urls import reverse
from django.utils.html import format_html

from brokerage.models import BannedNode
from jobs import countsums, nodes
from jobs.models import Job, Node
from jobs.nodes import LATELY
from jobs.states import LEASED
from monitor.errors.scope import Scope
from monitor.moments import in_zones
from monitor.nodes.outliers import HELP, RED_PERCENT, outlier, rate
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column
from monitor.words import ago

MOST = 1000  # nodes of a list, those with the most failures
LIVE_READ = 50_000  # more jobs with pilots are not counted by node

Key = tuple[int, str]  # site and node


@dataclass(frozen=True, kw_only=True)
class Line:
    """A node; `running` is None where it was not counted."""

    site: str
    node: str
    slots: int
    running: int | None
    finished: int
    failed: int
    rate: float | None  # percent, None: nothing ended
    outlier: str
    lost_hours: float
    seen: dt.datetime | None
    ban: BannedNode | None
    scope: Scope

    @property
    def url(self) -> str:
        """Its page; '' where its site is gone."""
        return node_url(self.site, self.node, self.scope) if self.site else ""

    @property
    def failed_url(self) -> str:
        """The list of what failed."""
        ended = self.scope.ended
        return jobs_url(site=self.site, node=self.node, state="failed", ended=ended)

    @property
    def banned(self) -> str:
        """In words, '' when it gets jobs."""
        if self.ban is None:
            return ""
        end = f" until {self.ban.until:%m-%d %H:%M} UTC" if self.ban.until else ""
        return f"banned{end}: {self.ban.reason}"


class NodeSheet(Sheet):
    """A row for each node."""

    node = column("Node", "worker node; its page tells more, and bans it")
    site = column("Site", "where it is")
    slots = column("Slots", "pilots that called from it within three hours", look="n")
    running = column("Running", "jobs that pilots hold there now; empty where there are too many"
                     " to count: choose a site", look="n")  # fmt: skip
    finished = column("Finished", "jobs within the window", look="n")
    failed = column("Failed", "jobs within the window", look="n")
    rate = column("% failed", f"failed / (finished + failed); marked over {RED_PERCENT:.0f} %",
                  look="n")  # fmt: skip
    outlier = column("Outlier", "; ".join(f"{name}: {words}" for name, words in HELP.items()))
    lost_hours = column("CPU-hrs lost", "CPU time of its failed jobs", look="n")
    seen = column("Last call", "when a pilot of it last called")
    banned = column("Ban", "until when, and why", look="wrap")

    class Meta(Sheet.Meta):
        attrs = {"class": "plain", "aria-label": "Nodes"}
        empty_text = "No node has ended a job here. Take a filter away, or a longer window."

    def render_node(self, record: Line) -> str:
        return format_html('<a href="{}">{}</a>', record.url, record.node)

    def render_site(self, record: Line) -> str:
        if not record.site:
            return ""
        address = reverse("monitor:site", args=[record.site])
        return format_html('<a href="{}">{}</a>', address, record.site)

    def render_failed(self, record: Line) -> str:
        if not record.failed:
            return "0"
        return format_html('<a href="{}">{}</a>', record.failed_url, record.failed)

    def render_rate(self, record: Line) -> str:
        if record.rate is None:
            return ""
        if record.rate > RED_PERCENT:
            return format_html('<strong class="red">! {}</strong>', f"{record.rate:.1f}")
        return f"{record.rate:.1f}"

    def render_outlier(self, record: Line) -> str:
        look = "very" if record.outlier == "VeryHigh" else "high"
        return format_html(
            '<strong class="outlier {}" title="{}">{}</strong>',
            look, HELP.get(record.outlier, ""), record.outlier,
        ) if record.outlier else ""  # fmt: skip

    def render_banned(self, record: Line) -> str:
        return in_zones(record.banned, now=record.scope.now)

    def render_seen(self, record: Line) -> str:
        if record.seen is None:
            return ""
        words = ago((record.scope.now - record.seen).total_seconds())
        return format_html('<span title="{}">{} ago</span>', record.seen.isoformat(), words)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The list: of more than MOST nodes those with the most failures, which `failing` have."""

    lines: Sequence[Line]
    failing: int
    cut: bool
    counted: bool  # whether running jobs were

    @cached_property
    def outliers(self) -> list[Line]:
        """Those that stand out and still get jobs, worst first."""
        return [line for line in self.lines if line.outlier and line.ban is None]

    def as_json(self) -> dict[str, Any]:
        """How much of it there is."""
        return {"nodes_with_failed_jobs": self.failing, "complete": not self.cut}


def read(scope: Scope) -> Listing:
    """Nodes whose jobs ended within the span, and of a single site also those that called."""
    found = nodes.ended(scope.span, site_ids=scope.site_ids, most=MOST)
    known = {(one.site_id, one.node): one for one in found.nodes}
    seen = _seen(scope, known)
    running = running_by_node(scope.site_ids)
    bans = {
        (ban.site_id, ban.node): ban
        for ban in BannedNode.objects.in_force(scope.now).select_related("author")
    }
    keys = [*known, *(key for key in seen if key not in known)]
    averages = {site: rate(*ends) for site, ends in found.sites.items()}

    def line(key: Key) -> Line:
        average = averages.get(key[0], 0.0)
        return _line(key, known.get(key), seen.get(key), scope, running, bans.get(key), average)

    return Listing(
        lines=[line(key) for key in keys],
        failing=found.failing,
        cut=not found.whole,
        counted=running is not None,
    )


def _seen(scope: Scope, known: Collection[Key]) -> dict[Key, Node]:
    """Rows of the nodes that are listed; of one site all that called within the window."""
    rows = Node.objects.alias(seen_at=nodes.SEEN_AT)
    if scope.site_ids is not None and len(scope.site_ids) == 1:
        rows = rows.filter(site__in=scope.site_ids, seen_at__gte=scope.span.since)
        return {(row.site_id, row.node): row for row in rows[: 10 * MOST]}
    rows = rows.filter(site__in={site for site, _ in known}, node__in={node for _, node in known})
    return {(row.site_id, row.node): row for row in rows if (row.site_id, row.node) in known}


def running_by_node(site_ids: Collection[int] | None) -> Counter[Key] | None:
    """Jobs that pilots hold; None when there are more than may be counted with a page."""
    states = [*map(str, LEASED)]
    if countsums.total(ended_since=None, state=states, site_id=site_ids) > LIVE_READ:
        return None
    jobs = Job.objects.leased()
    if site_ids is not None:
        jobs = jobs.filter(computing_site__in=site_ids)
    rows = jobs.values_list("computing_site", "node").annotate(n=Count("pk")).order_by()
    return Counter({(site or 0, node): n for site, node, n in rows})


def _line(
    key: Key,
    ended: nodes.Ended | None,
    seen: Node | None,
    scope: Scope,
    running: Counter[Key] | None,
    ban: BannedNode | None,
    average: float,
) -> Line:
    site = scope.site_name(key[0])
    finished, failed = (ended.finished, ended.failed) if ended else (0, 0)
    last = max(filter(None, [seen.last_claim, seen.last_report]), default=None) if seen else None
    lately = last is not None and last >= scope.now - LATELY
    return Line(
        site=site,
        node=key[1],
        slots=seen.pilots if seen and lately else 0,
        running=None if running is None else running[key],
        finished=finished,
        failed=failed,
        rate=rate(finished, failed) if finished + failed else None,
        outlier=outlier(finished=finished, failed=failed, average=average),
        lost_hours=round(ended.lost_s / 3600, 1) if ended else 0.0,
        seen=last,
        ban=ban,
        scope=scope,
    )


def node_url(site: str, node: str, scope: Scope) -> str:
    """The page of a node, for the same window."""
    only = {name: "" for name in scope.given if name not in ("hours", "period")}
    return scope.url("monitor:node", site, node, **only)
