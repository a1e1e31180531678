"""Writes the demo's grid into the tables. Safe to repeat: what an administrator changed, stays."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from brokerage.models import VO, Cloud, InstalledRelease, Release, Site
from datasets import space
from datasets.models import GB, SiteStorage, StorageElement
from jobs.models import Transformation
from pandasite.demo.grid import (
    CLOUDS,
    CMT_CONFIG,
    SITES,
    TRANSFORMATIONS,
    VOS,
    DemoFolder,
    Place,
    Region,
)


@transaction.atomic
def load_grid(
    folder: DemoFolder,
    *,
    now: dt.datetime,
    regions: Sequence[Region] = CLOUDS,
    sites: Sequence[Place] = SITES,
) -> None:
    """Clouds, sites, releases and storage elements, with a folder for each site."""
    vos = {
        name: VO.objects.get_or_create(name=name, defaults={"description": words})[0]
        for name, words in VOS.items()
    }
    clouds = {region.name: load_cloud(region) for region in regions}
    for place in sites:
        site = load_site(place, clouds[place.cloud], [vos[name] for name in place.vos])
        load_releases(place, site)
        load_storage(place, site, folder)
    for region in regions:
        tier1 = Site.objects.get(name=region.tier1)
        Cloud.objects.filter(name=region.name, tier1=None).update(tier1=tier1)
    space.measure_storage(now=now)


def load_transformations() -> None:
    """The demo's programs: another name is refused at submission, with those that are near."""
    for name, words in TRANSFORMATIONS.items():
        Transformation.objects.get_or_create(name=name, defaults={"description": words})


def load_cloud(region: Region) -> Cloud:
    """The cloud, made when it is not there; its Tier-1 comes once the sites are there."""
    flags = {"fasttrack": region.fasttrack, "validation": region.validation}
    return Cloud.objects.get_or_create(name=region.name, defaults=flags)[0]


def load_site(place: Place, cloud: Cloud, vos: list[VO]) -> Site:
    """The site with its slot facts, made when it is not there."""
    facts = {
        "cloud": cloud,
        "tier": place.tier,
        "type": place.type,
        "memory_mb": place.memory_mb,
        "cpu_speed_mhz": place.cpu_speed_mhz,
        "slots": place.slots,
        "wall_seconds": place.wall_seconds,
        "scratch_mb": place.scratch_mb,
        "flavour": place.flavour,
    }
    site, made = Site.objects.get_or_create(name=place.name, defaults=facts)
    if made:
        site.vos.set(vos)
    return site


def load_releases(place: Place, site: Site) -> None:
    """What is installed at the site."""
    for atlas_release in place.releases:
        name, _, version = atlas_release.partition("-")
        release, _made = Release.objects.get_or_create(
            name=name, version=version, cmt_config=CMT_CONFIG
        )
        InstalledRelease.objects.get_or_create(
            site=site, release=release, defaults={"validated": True}
        )


def load_storage(place: Place, site: Site, folder: DemoFolder) -> None:
    """The storage element and its folder. Its address follows the data folder when that moved."""
    folder.storage(place).mkdir(parents=True, exist_ok=True)
    storage, _made = StorageElement.objects.update_or_create(
        name=place.storage,
        defaults={"url": folder.storage_url(place)},
        create_defaults={
            "url": folder.storage_url(place),
            "space_token": "ATLASDATADISK" if "atlas" in place.vos else "",
            "capacity_bytes": int(place.capacity_gb * GB),
            "threshold_gb": place.threshold_gb,
        },
    )
    SiteStorage.objects.get_or_create(site=site, storage=storage)
