"""The page of one node: what its jobs came to, what they say, who banned it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokerage.models import BannedNode, Site
from jobs import nodes
from jobs.ends import is_hourly
from jobs.models import Node
from monitor.errors import clusters
from monitor.errors.clusters import Cluster
from monitor.errors.scope import Scope
from monitor.nodes.lists import node_url, running_by_node
from monitor.nodes.outliers import HELP, outlier, rate
from monitor.rows import jobs_url
from pandasite.base.errors import NotThere
from pandasite.base.models import AuditLine

SHOWN = 20
STEP = dt.timedelta(hours=1)
Hour = tuple[dt.datetime, int, int, int]


@dataclass(frozen=True, kw_only=True)
class NodePage:
    """A node at a site, over a window."""

    site: Site
    name: str
    seen: Node | None
    running: int | None
    finished: int
    failed: int
    cancelled: int
    average: float  # of all nodes of the site, percent
    ban: BannedNode | None
    clusters: Sequence[Cluster]
    audit: Sequence[AuditLine]
    jobs_url: str
    failed_url: str
    url: str

    @property
    def rate(self) -> float:
        return rate(self.finished, self.failed)

    @property
    def outlier(self) -> str:
        return outlier(finished=self.finished, failed=self.failed, average=self.average)

    @property
    def outlier_help(self) -> str:
        return HELP.get(self.outlier, "")

    def as_json(self) -> dict[str, Any]:
        """The facts; rates in percent."""
        ban = self.ban
        return {
            "site": self.site.name,
            "node": self.name,
            "pilots_3h": self.seen.pilots if self.seen else 0,
            "last_claim": self.seen.last_claim if self.seen else None,
            "last_report": self.seen.last_report if self.seen else None,
            "running": self.running,
            "finished": self.finished,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "failed_percent": round(self.rate, 1),
            "site_failed_percent": round(self.average, 1),
            "outlier": self.outlier,
            "ban": {"reason": ban.reason, "at": ban.at, "until": ban.until} if ban else None,
            "messages": [one.as_json() for one in self.clusters],
        }


def read(site: Site, name: str, scope: Scope) -> NodePage:
    """A node; NotThere when nobody has heard of it."""
    seen = Node.objects.filter(site=site, node=name).first()
    ban = BannedNode.objects.in_force(scope.now).filter(site=site, node=name).first()
    hours = nodes.by_hour(scope.span, site_id=site.pk, node=name)
    if seen is None and ban is None and not hours:
        raise NotThere(f"no pilot has called from a node {name[:80]} at {site.name} of late")
    finished = sum(hour[1] for hour in hours)
    failed = sum(hour[2] for hour in hours)
    cancelled = sum(hour[3] for hour in hours)
    average = rate(*nodes.of_sites(scope.span, site_ids=[site.pk]).get(site.pk, (0, 0)))
    running = running_by_node([site.pk])
    audit = AuditLine.objects.filter(subject=f"{name} at {site.name}")
    return NodePage(
        site=site,
        name=name,
        seen=seen,
        running=None if running is None else running[site.pk, name],
        finished=finished,
        failed=failed,
        cancelled=cancelled,
        average=average,
        ban=ban,
        clusters=clusters.read(scope, at=(site.pk, name)).clusters[:SHOWN] if failed else [],
        audit=list(audit.order_by("-at")[:SHOWN]),
        jobs_url=jobs_url(site=site.name, node=name),
        failed_url=jobs_url(site=site.name, node=name, state="failed", ended=scope.ended),
        url=node_url(site.name, name, scope),
    )


def plot(site: Site, name: str, scope: Scope) -> dict[str, Any]:
    """Its ended jobs by hour, as docs/monitor.md has the JSON of bars."""
    hours = _without_gaps(nodes.by_hour(scope.span, site_id=site.pk, node=name), scope)
    return {
        "unit": "jobs",
        "stacked": True,
        "categories": [f"{hour[0]:%m-%d %H:%M}" for hour in hours],
        "at": [int(hour[0].timestamp()) for hour in hours],
        "series": [
            {"name": state, "state": state, "values": [hour[n] for hour in hours]}
            for n, state in ((1, "finished"), (2, "failed"), (3, "cancelled"))
        ],
    }


def _without_gaps(hours: Sequence[Hour], scope: Scope) -> Sequence[Hour]:
    """With the hours in which nothing ended; a longer window has days, and is left as it is."""
    if not hours or not is_hourly(scope.span.since, now=scope.now):
        return hours
    found = {hour[0]: hour for hour in hours}
    last = max(found)
    n = int((last - scope.span.since) / STEP) + 1
    every = [scope.span.since + i * STEP for i in range(n)]
    return [found.get(hour, (hour, 0, 0, 0)) for hour in every]
