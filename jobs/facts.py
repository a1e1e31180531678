"""The facts of one brokerage round, gathered once: what each site and cloud has to give."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q

from brokerage.models import BannedNode, Cloud, InstalledRelease, Site
from brokerage.policy import CloudRules, Limits, Offer
from datasets.models import Replica, SiteStorage, StorageElement
from jobs import counts
from jobs.models import Pilot
from jobs.states import JobState

DEFAULT_THRESHOLD_GB = {1: 1024.0}  # by tier; other tiers:
OTHER_THRESHOLD_GB = 200.0

Releases = dict[int, set[tuple[str, str]]]


@dataclass
class Facts:
    """What a round knows. `took` keeps it true while the round assigns."""

    sites: dict[str, Site]
    offers: dict[str, Offer]
    clouds: dict[str, CloudRules]
    storages: dict[str, StorageElement]  # by site name: where its jobs read and write
    limits: Limits

    def took(self, site: str, n_jobs: int) -> None:
        """Raise the assigned count of a site at once, for the next bunch of this round."""
        self.offers[site] = self.offers[site].taking(n_jobs)

    def holding(self, files: Collection[int]) -> list[Offer]:
        """The offers with how many of these files (by key) each site already holds."""
        if not files:
            return list(self.offers.values())
        good = Replica.objects.filter(file__in=files, state=Replica.State.AVAILABLE)
        held = dict(good.values_list("storage").annotate(n=Count("pk")))
        return [
            replace(offer, held_files=held.get(self._storage_id(offer.name), 0))
            for offer in self.offers.values()
        ]

    def _storage_id(self, site: str) -> int | None:
        storage = self.storages.get(site)
        return storage.pk if storage else None


def gather(now: dt.datetime) -> Facts:
    """All facts in a handful of queries, however many jobs the round has."""
    sites = list(Site.objects.select_related("cloud").prefetch_related("vos"))
    storages = {
        link.site.name: link.storage
        for link in SiteStorage.objects.filter(role="local").select_related("site", "storage")
    }
    installed, validated = _releases()
    queue = _queue(now)
    nodes, updating = _nodes(now)
    return Facts(
        sites={site.name: site for site in sites},
        offers={
            site.name: _offer(
                site,
                storages.get(site.name),
                installed=frozenset(installed.get(site.pk, ())),
                validated=frozenset(validated.get(site.pk, ())),
                queue=queue,
                nodes=nodes.get(site.pk, 0),
                updating=updating.get(site.pk, 0),
            )
            for site in sites
        },
        clouds={cloud.name: _rules(cloud) for cloud in Cloud.objects.select_related("tier1")},
        storages=storages,
        limits=Limits(
            evidence_hours=settings.PANDASITE["PILOT_EVIDENCE_HOURS"],
            bunch_size=settings.PANDASITE["BUNCH_SIZE"],
        ),
    )


def _offer(
    site: Site,
    storage: StorageElement | None,
    *,
    installed: frozenset[tuple[str, str]],
    validated: frozenset[tuple[str, str]],
    queue: Counter[tuple[int, str]],
    nodes: int,
    updating: int,
) -> Offer:
    return Offer(
        name=site.name,
        cloud=site.cloud.name,
        tier=site.tier,
        type=site.type,
        status=site.status,
        status_reason=site.status_reason,
        memory_mb=site.memory_mb,
        cpu_speed_mhz=site.cpu_speed_mhz,
        slots=site.slots,
        max_core_count=site.max_core_count,
        wall_seconds=site.wall_seconds,
        scratch_mb=site.scratch_mb,
        vos=frozenset(vo.name for vo in site.vos.all()),
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


def _rules(cloud: Cloud) -> CloudRules:
    return CloudRules(
        name=cloud.name,
        status=cloud.status,
        tier1=cloud.tier1.name if cloud.tier1 else None,
        releases_checked=cloud.releases_checked,
        reprocessing_at_tier1=cloud.reprocessing_at_tier1,
        weight=cloud.weight,
        validation=cloud.validation,
        fasttrack=cloud.fasttrack,
    )


def _releases() -> tuple[Releases, Releases]:
    installed: Releases = {}
    validated: Releases = {}
    for row in InstalledRelease.objects.select_related("release"):
        pair = (row.release.atlas_release, row.release.cmt_config)
        installed.setdefault(row.site_id, set()).add(pair)
        if row.validated:
            validated.setdefault(row.site_id, set()).add(pair)
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
    banned = BannedNode.objects.filter(site=OuterRef("site"), node=OuterRef("node"))
    lately = now - dt.timedelta(hours=settings.PANDASITE["PILOT_EVIDENCE_HOURS"])
    seen = (
        Pilot.objects.filter(~Exists(banned), last_contact__gte=lately)
        .values("site")
        .annotate(
            nodes=Count("node", distinct=True),
            updating=Count("node", distinct=True, filter=Q(last_report__gte=lately)),
        )
        .order_by()
    )
    rows = list(seen)
    return (
        {row["site"]: row["nodes"] for row in rows},
        {row["site"]: row["updating"] for row in rows},
    )
