"""The grid of the benchmarks: clouds, sites, storage, releases, pilots, tokens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Permission

from brokerage.models import VO, BannedNode, Cloud, InstalledRelease, Release, Site
from jobs import identity
from jobs.models import Node, Pilot
from pandasite.replay.grid import store

SITES_A_CLOUD = 10
PILOTS_A_SITE = 20  # that are known already when a benchmark begins
PILOTS_A_NODE = 4
BANNED_A_SITE = 5
TOKEN_DAYS = 7.0
CMT_CONFIG = "x86_64-slc5-gcc43-opt"
VERSIONS = ("14.5.0", "15.0.0", "15.6.9", "16.0.2")
RELEASES = tuple(f"Atlas-{version}" for version in VERSIONS)
# What a pilot of the benchmarks says of itself; every job that is to match asks for no more.
MEMORY_MB = 4000
DISK_MB = 20_000
CPU_MHZ = 3000
CORES = 8
CAP = 1_000_000  # jobs that a site may have at once: counted at every claim, never reached


@dataclass(frozen=True)
class Place:
    """A site with the token of its pilots."""

    pk: int
    name: str
    token: str


@dataclass(frozen=True)
class Grid:
    """Sites in the order of their numbers, and the token of a production manager."""

    sites: Sequence[Place]
    manager: str


def make_grid(n_sites: int, *, cap: int, now: dt.datetime) -> Grid:
    """Write the grid into empty tables; every site is online, manned and has every release.

    cap: how many jobs each site may have with pilots at once, 0 for no cap.
    """
    vo = VO.objects.create(name="atlas")
    clouds = Cloud.objects.bulk_create(
        Cloud(name=f"C{i}", validation=True, fasttrack=True)
        for i in range(-(-n_sites // SITES_A_CLOUD))
    )
    sites = Site.objects.bulk_create(
        _site(i, clouds[i // SITES_A_CLOUD], cap) for i in range(n_sites)
    )
    Site.vos.through.objects.bulk_create(
        Site.vos.through(site_id=site.pk, vo_id=vo.pk) for site in sites
    )
    _install(sites)
    store(sites, url=_address, now=now)
    _man(sites, now)
    return Grid(
        sites=[Place(site.pk, site.name, _pilot_token(site)) for site in sites],
        manager=_manager_token(),
    )


def _site(i: int, cloud: Cloud, cap: int) -> Site:
    return Site(
        name=f"SITE_{i:03d}",
        cloud=cloud,
        memory_mb=MEMORY_MB,
        cpu_speed_mhz=CPU_MHZ,
        slots=1000 + 10 * i,
        max_core_count=CORES,
        scratch_mb=DISK_MB,
        job_cap=cap,
    )


def _install(sites: Sequence[Site]) -> None:
    releases = Release.objects.bulk_create(
        Release(name="Atlas", version=version, cmt_config=CMT_CONFIG) for version in VERSIONS
    )
    InstalledRelease.objects.bulk_create(
        InstalledRelease(site=site, release=release, validated=True)
        for site in sites
        for release in releases
    )


def _address(site: Site) -> str:
    return f"davs://{site.name.lower().replace('_', '-')}.example.org/disk/"


def _man(sites: Sequence[Site], now: dt.datetime) -> None:
    add_pilots(sites, range(PILOTS_A_SITE), now=now)
    BannedNode.objects.bulk_create(
        BannedNode(site=site, node=f"bad{k}.{site.name}", reason="it fails all it takes", at=now)
        for site in sites
        for k in range(BANNED_A_SITE)
    )


def add_pilots(sites: Sequence[Site | Place], which: range, *, now: dt.datetime) -> None:
    """Pilots with these numbers at each of the sites, and their nodes, which nobody else is on."""
    Pilot.objects.bulk_create(
        Pilot(
            site_id=site.pk,
            pilot_id=pilot_id(site.name, k),
            node=node(site.name, k),
            memory_mb=MEMORY_MB,
            cpu_speed_mhz=CPU_MHZ,
            free_disk_mb=DISK_MB,
            first_contact=now,
            last_contact=now,
            last_report=now,
        )
        for site in sites
        for k in which
    )
    names = {(site.pk, node(site.name, k)) for site in sites for k in which}
    Node.objects.bulk_create(
        Node(site_id=pk, node=name, last_claim=now, last_report=now, pilots=PILOTS_A_NODE)
        for pk, name in sorted(names)
    )


def pilot_id(site: str, k: int) -> str:
    """The name of the k-th pilot at a site."""
    return f"{site}-pilot-{k}"


def node(site: str, k: int) -> str:
    """The worker node that the k-th pilot runs on."""
    return f"wn{k // PILOTS_A_NODE:04d}.{site.lower().replace('_', '-')}.example.org"


def _pilot_token(site: Site) -> str:
    return identity.new_pilot_token(site, days=TOKEN_DAYS)


def _manager_token() -> str:
    manager = identity.person("bench-manager")
    allowed = Permission.objects.filter(
        content_type__app_label="jobs", codename__in=("submit_production", "kill_any_job")
    )
    manager.user_permissions.set(allowed)
    return identity.new_token(manager, days=TOKEN_DAYS)
