"""What the dashboard reads, each in one query. No row of the job table but the few that stand out.

Numbers of jobs come from `jobs.counts`; the job table is asked only through indexes, for jobs that
nothing has touched for hours, that have no site, or that failed at a site that fails a lot.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from brokerage.models import BannedNode, Cloud, Site
from datasets.models import SiteStorage
from jobs import counts, errors
from jobs.models import ERROR_COMPONENTS, AnyJob, BrokerageDecision, Job, Node, Pulse
from jobs.models.job import JobQuerySet
from jobs.nodes import LATELY, SEEN_AT
from jobs.states import LEASED, JobState
from monitor import active
from monitor.bamboo import lamp
from monitor.ddm import lately
from monitor.logger import lamp as logger_lamp
from monitor.models import LinkBlock
from monitor.operations import database
from monitor.words import IDLE_HOURS, KINDS, STALE_HOURS, window_start
from pandasite.base import health
from pandasite.base.models import ServerProcess, SweepRun

FAILURES_READ = 500  # of the latest ones of a site, to find the most frequent error
UNPLACED_SECONDS = 60  # brokerage has had its chance


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Pilots of a site: distinct nodes within the window, pilots within PILOT_HOURS."""

    nodes: int
    pilots: int


@dataclass(frozen=True, kw_only=True)
class Stale:
    """`n` jobs of a cloud and site (0 = none) that nothing has touched for STALE_HOURS[state]."""

    cloud_id: int
    site_id: int
    state: str
    n: int


@dataclass(frozen=True, kw_only=True)
class TopError:
    """The most frequent error among the latest failures of a site."""

    component: str
    code: int
    n: int

    @property
    def name(self) -> str:
        """As the job list's filter takes it."""
        return f"{self.component}:{self.code}"

    @property
    def meaning(self) -> str:
        return errors.meaning(self.component, self.code)


@dataclass(frozen=True, kw_only=True)
class Unplaced:
    """`n` jobs that brokerage found no site for, with its sentence."""

    n: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the dashboard is made of, as read in one snapshot."""

    now: dt.datetime
    hours: int
    kind: str  # key of KINDS, '' = all
    clouds: Sequence[Cloud]
    sites: Sequence[Site]
    counts: Sequence[counts.Count]
    seen: dict[int, Seen]  # by site
    stale: Sequence[Stale]
    unplaced: Sequence[Unplaced]
    storages: Sequence[SiteStorage]
    sweeps: dict[str, SweepRun]
    processes: Sequence[ServerProcess]
    database: database.Connections
    answers: Mapping[int, Mapping[str, int]]  # to claims by site, within IDLE_HOURS
    bans: Sequence[BannedNode]
    tasks: active.ActiveTasks | None  # None: not counted yet
    links: Sequence[LinkBlock]
    ddm: lately.Lately
    bamboo: lamp.Seen
    logged: logger_lamp.Logged

    @property
    def since(self) -> dt.datetime:
        return window_start(self.now, self.hours)


def gather(*, now: dt.datetime, hours: int, kind: str) -> Facts:
    """Read it all; the caller sees to it that it is one snapshot."""
    labels = KINDS[kind] if kind else None
    since = window_start(now, hours)
    return Facts(
        now=now,
        hours=hours,
        kind=kind,
        clouds=list(Cloud.objects.select_related("tier1")),
        sites=list(Site.objects.select_related("cloud")),
        counts=counts.read(ended_since=since, labels=labels),
        seen=pilots_seen(now=now, since=since),
        stale=stale_jobs(now=now, labels=labels),
        unplaced=unplaced_jobs(now=now, labels=labels),
        storages=list(SiteStorage.objects.select_related("site__cloud", "storage")),
        sweeps={run.name: run for run in SweepRun.objects.exclude(name=health.PROBE)},
        database=database.connections(),
        processes=list(ServerProcess.objects.all()),
        answers=answers_by_site(now - dt.timedelta(hours=IDLE_HOURS)),
        bans=list(BannedNode.objects.select_related("site").order_by("site__name", "node")),
        tasks=active.tasks(now=now),
        links=list(LinkBlock.objects.prefetch_related("links")),
        ddm=lately.read(now=now),
        bamboo=lamp.look(now=now),
        logged=logger_lamp.look(now=now),
    )


def answers_by_site(since: dt.datetime) -> dict[int, dict[str, int]]:
    """How often the claims of each site were answered how since the full hour of then."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for (site_id, outcome), n in counts.answers(since=since).items():
        found[site_id][outcome] = n
    return dict(found)


def pilots_seen(*, now: dt.datetime, since: dt.datetime) -> dict[int, Seen]:
    """By site, the nodes that were heard within the window, and their pilots of late."""
    lately = now - LATELY
    rows = (
        Node.objects.alias(seen_at=SEEN_AT)
        .filter(seen_at__gte=min(since, lately))
        .values("site")
        .annotate(
            nodes=Count("pk", filter=Q(seen_at__gte=since)),
            pilots=Sum("pilots", filter=Q(seen_at__gte=lately), default=0),
        )
        .order_by()
    )
    return {row["site"]: Seen(nodes=row["nodes"], pilots=row["pilots"]) for row in rows}


def untouched(now: dt.datetime, state: str, hours: int) -> Q:
    """Jobs in this state that no change, heartbeat or command has touched for so long."""
    cutoff = now - dt.timedelta(hours=hours)
    # The first half is what the index of live jobs knows, and follows from the second.
    old = Q(state=state, state_change_time__lt=cutoff, modification_time__lt=cutoff)
    if state in LEASED:  # its heartbeats are elsewhere, and their index finds the few at once
        old &= Q(pk__in=Pulse.objects.unheard_since(cutoff).values("pk"))
    return old


def stale_jobs(*, now: dt.datetime, labels: Collection[str] | None) -> list[Stale]:
    """Counts of jobs that have been left alone for too long."""
    old = Q()
    for state, hours in STALE_HOURS.items():
        old |= untouched(now, state, hours)
    rows = (
        _labelled(labels)
        .filter(old)
        .values("cloud_id", "computing_site_id", "state")
        .annotate(n=Count("pk"))
        .order_by()
    )
    return [
        Stale(
            cloud_id=row["cloud_id"] or 0,
            site_id=row["computing_site_id"] or 0,
            state=row["state"],
            n=row["n"],
        )
        for row in rows
    ]


def unplaced_jobs(*, now: dt.datetime, labels: Collection[str] | None) -> list[Unplaced]:
    """Jobs that brokerage has judged and left defined, by its sentence, most jobs first."""
    seconds = max(UNPLACED_SECONDS, 3 * settings.PANDASITE["SWEEP_SECONDS"])
    rows = (
        _labelled(labels)
        .filter(
            state=JobState.DEFINED,
            state_change_time__lt=now - dt.timedelta(seconds=seconds),
            decision__site="",
        )
        .values_list("decision")
        .annotate(n=Count("pk"))
        .order_by()
    )
    # The sentences are part of large texts: each is read once, and not once a job.
    jobs_of = dict(rows)
    reasons = BrokerageDecision.objects.filter(pk__in=jobs_of)
    found: Counter[str] = Counter()
    for decision, reason in reasons.values_list("pk", "detail__reason"):
        found[reason or ""] += jobs_of[decision]
    ordered = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Unplaced(n=n, reason=reason) for reason, n in ordered[:20]]


def top_errors(
    site_ids: Collection[int], *, since: dt.datetime, labels: Collection[str] | None
) -> dict[int, TopError]:
    """By site, the error that most of its latest failures carry."""
    failed = AnyJob.objects.filter(_chosen(labels), state=JobState.FAILED, end_time__gte=since)
    tally = {site_id: _tally(failed.filter(computing_site=site_id)) for site_id in site_ids}
    return {site_id: _most(count) for site_id, count in tally.items() if count}


def _tally(failed: QuerySet[AnyJob]) -> Counter[tuple[str, int]]:
    columns = [f"{component}_error_code" for component in ERROR_COMPONENTS]
    count: Counter[tuple[str, int]] = Counter()
    for codes in failed.order_by("-end_time").values_list(*columns)[:FAILURES_READ]:
        found = zip(ERROR_COMPONENTS, codes, strict=True)
        count.update((component, code) for component, code in found if code)
    return count


def _most(count: Counter[tuple[str, int]]) -> TopError:
    (component, code), n = min(count.items(), key=lambda item: (-item[1], item[0]))
    return TopError(component=component, code=code, n=n)


def _labelled(labels: Collection[str] | None) -> JobQuerySet:
    return Job.objects.filter(_chosen(labels))


def _chosen(labels: Collection[str] | None) -> Q:
    return Q() if labels is None else Q(prod_source_label__in=labels)
