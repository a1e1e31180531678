"""The facts of one brokerage round, gathered once: what each site and cloud has to give."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q

from brokerage.models import BannedNode, Cloud, Downtime, InstalledRelease, Site
from brokerage.policy import CloudRules, Grid, Limits, Offer
from datasets.models import SiteStorage, StorageElement
from jobs import counts
from jobs.models import Node
from jobs.nodes import SEEN_AT
from jobs.states import JobState

DEFAULT_THRESHOLD_GB = {1: 1024.0}  # by tier; other tiers:
OTHER_THRESHOLD_GB = 200.0

Releases = defaultdict[int, set[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a round knows. The grid stays true while the round assigns: `grid.took`."""

    sites: dict[str, Site]
    storages: dict[str, StorageElement]  # by site name: where its jobs read and write
    grid: Grid

    def holdings(self, bunches: Sequence[Collection[int]]) -> list[dict[str, int]]:
        """For each set of files (by key): how many of them are at each site that has any."""
        at = defaultdict(list)
        for site, storage in self.storages.items():
            at[storage.pk].append(site)
        found: list[dict[str, int]] = [{} for _ in bunches]
        for number, storage_id, n in _held(bunches):
            found[number].update(dict.fromkeys(at[storage_id], n))
        return found


_HELD = """
SELECT wanted.bunch, r.storage_id, count(*)
FROM unnest(%s::int[], %s::bigint[]) AS wanted(bunch, file_id)
JOIN datasets_replica r ON r.file_id = wanted.file_id AND r.state = 'available'
GROUP BY wanted.bunch, r.storage_id
"""


def _held(bunches: Sequence[Collection[int]]) -> list[tuple[int, int, int]]:
    """(number of the bunch, storage element, files of the bunch that are there)."""
    wanted = [(number, file) for number, files in enumerate(bunches) for file in files]
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [list(column) for column in zip(*wanted, strict=True)])
        return cursor.fetchall()


def gather(now: dt.datetime) -> Facts:
    """All facts in a handful of queries, however many jobs the round has.

    What an administrator adds between two of them is a fact of the next round.
    """
    clouds = Cloud.objects.in_bulk()
    sites = Site.objects.in_bulk()
    storages = _storages()
    installed, validated = _releases()
    vos = _vos()
    outages = _outages(now)
    queue = _queue(now)
    nodes, updating = _nodes(now)
    offers = [
        _offer(
            site,
            clouds[site.cloud_id],
            storages.get(pk),
            vos=frozenset(vos[pk]),
            downtime=outages.get(pk, ""),
            installed=frozenset(installed[pk]),
            validated=frozenset(validated[pk]),
            queue=queue,
            nodes=nodes.get(pk, 0),
            updating=updating.get(pk, 0),
        )
        for pk, site in sites.items()
        if site.cloud_id in clouds
    ]
    rules = {cloud.name: _rules(cloud, sites) for cloud in clouds.values()}
    return Facts(
        sites={site.name: site for site in sites.values()},
        storages={site.name: storages[pk] for pk, site in sites.items() if pk in storages},
        grid=Grid(offers=offers, clouds=rules, limits=_limits()),
    )


def _limits() -> Limits:
    return Limits(
        evidence_hours=settings.PANDASITE["PILOT_EVIDENCE_HOURS"],
        bunch_size=settings.PANDASITE["BUNCH_SIZE"],
    )


def _storages() -> dict[int, StorageElement]:
    """By site."""
    local = SiteStorage.objects.filter(role=SiteStorage.Role.LOCAL)
    of_site = dict(local.values_list("site", "storage"))
    elements = StorageElement.objects.in_bulk()
    return {site: elements[se] for site, se in of_site.items() if se in elements}


def _outages(now: dt.datetime) -> dict[int, str]:
    """What is said of sites in an outage; of two, the one that ends later."""
    return {one.site_id: one.words for one in Downtime.objects.outages(now).order_by("end")}


def _vos() -> defaultdict[int, set[str]]:
    """Names of VOs by site."""
    vos: defaultdict[int, set[str]] = defaultdict(set)
    for site, vo in Site.vos.through.objects.values_list("site", "vo__name"):
        vos[site].add(vo)
    return vos


def _offer(
    site: Site,
    cloud: Cloud,
    storage: StorageElement | None,
    *,
    vos: frozenset[str],
    downtime: str,
    installed: frozenset[tuple[str, str]],
    validated: frozenset[tuple[str, str]],
    queue: Counter[tuple[int, str]],
    nodes: int,
    updating: int,
) -> Offer:
    return Offer(
        name=site.name,
        cloud=cloud.name,
        tier=site.tier,
        type=site.type,
        status=site.status,
        status_reason=site.status_reason,
        downtime=downtime,
        memory_mb=site.memory_mb,
        cpu_speed_mhz=site.cpu_speed_mhz,
        slots=site.slots,
        max_core_count=site.max_core_count,
        wall_seconds=site.wall_seconds,
        scratch_mb=site.scratch_mb,
        vos=vos,
        releases=installed,
        validated_releases=validated,
        pilots_recent=nodes,
        updating_nodes=updating,
        assigned=queue[site.pk, JobState.ASSIGNED],
        activated=queue[site.pk, JobState.ACTIVATED],
        running=queue[site.pk, JobState.RUNNING],
        has_storage=storage is not None,
        free_gb=storage.free_gb if storage else None,
        space_threshold_gb=_threshold(site, storage),
    )


def _threshold(site: Site, storage: StorageElement | None) -> float:
    if storage is not None and storage.threshold_gb is not None:
        return storage.threshold_gb
    return DEFAULT_THRESHOLD_GB.get(site.tier, OTHER_THRESHOLD_GB)


def _rules(cloud: Cloud, sites: Mapping[int, Site]) -> CloudRules:
    tier1 = sites.get(cloud.tier1_id or 0)
    return CloudRules(
        name=cloud.name,
        status=cloud.status,
        tier1=tier1.name if tier1 else None,
        releases_checked=cloud.releases_checked,
        reprocessing_at_tier1=cloud.reprocessing_at_tier1,
        weight=cloud.weight,
        validation=cloud.validation,
        fasttrack=cloud.fasttrack,
    )


def _releases() -> tuple[Releases, Releases]:
    installed: Releases = defaultdict(set)
    validated: Releases = defaultdict(set)
    columns = ("site", "validated", "release__name", "release__version", "release__cmt_config")
    for (
        site,
        is_validated,
        name,
        version,
        cmt_config,
    ) in InstalledRelease.objects.order_by().values_list(*columns):
        pair = (f"{name}-{version}", cmt_config)
        installed[site].add(pair)
        if is_validated:
            validated[site].add(pair)
    return installed, validated


def _queue(now: dt.datetime) -> Counter[tuple[int, str]]:
    """Jobs by (site, state), from the counts: never from the job table."""
    queue: Counter[tuple[int, str]] = Counter()
    for count in counts.read(ended_since=now):
        queue[count.site_id, count.state] += count.n
    return queue


def _nodes(now: dt.datetime) -> tuple[dict[int, int], dict[int, int]]:
    """Nodes by site: all whose pilots were seen of late, and those that sent a heartbeat.

    Pilots of a banned node ask on, and get nothing: they are no evidence.
    """
    bans = BannedNode.objects.in_force(now)
    banned = bans.filter(site=OuterRef("site"), node=OuterRef("node"))
    lately = now - dt.timedelta(hours=settings.PANDASITE["PILOT_EVIDENCE_HOURS"])
    seen = (
        Node.objects.alias(seen_at=SEEN_AT)
        .filter(~Exists(banned), seen_at__gte=lately)
        .values("site")
        .annotate(
            nodes=Count("pk"),
            updating=Count("pk", filter=Q(last_report__gte=lately)),
        )
        .order_by()
    )
    rows = list(seen)
    return (
        {row["site"]: row["nodes"] for row in rows},
        {row["site"]: row["updating"] for row in rows},
    )
