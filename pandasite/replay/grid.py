"""The grid that a replay runs on: a cloud with the sites of the log, their storage and nodes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from brokerage.models import VO, Cloud, Site
from datasets.models import SiteStorage, StorageElement
from jobs import identity
from jobs.identity import Caller
from jobs.models import Node

CLOUD, VO_NAME = "REPLAY", "replay"
SLOTS_OF_A_NODE = 4
SHARE = 1000  # of the cloud: it has no limit of remaining work that matters
CAPACITY = 10**17  # bytes: no job of a log writes any


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site, who its pilots are, and what it has."""

    caller: Caller
    slots: int
    nodes: Sequence[str]

    @property
    def name(self) -> str:
        return self.caller.site


def make_grid(slots: Mapping[str, int], *, now: dt.datetime) -> list[Place]:
    """Write the sites into a database that has none of their names; every site is online."""
    with transaction.atomic():
        cloud, _made = Cloud.objects.get_or_create(name=CLOUD, defaults={"mc_share": SHARE})
        VO.objects.get_or_create(name=VO_NAME)
        sites = Site.objects.bulk_create(
            Site(name=name, cloud=cloud, slots=n) for name, n in slots.items()
        )
        store(sites, url=lambda site: f"file:///replay/{site.name}", now=now)
        cloud.tier1 = max(sites, key=lambda site: site.slots)
        cloud.save(update_fields=["tier1"])
        places = [_place(site) for site in sites]
        Node.objects.bulk_create(
            Node(site_id=place.caller.site_id, node=node, last_claim=now)
            for place in places
            for node in place.nodes
        )
    return places


def store(sites: Sequence[Site], *, url: Callable[[Site], str], now: dt.datetime) -> None:
    """A disk at each of these sites, which were made just now, with room for all that comes."""
    storages = StorageElement.objects.bulk_create(
        StorageElement(
            name=f"{site.name}_DISK",
            url=url(site),
            capacity_bytes=CAPACITY,
            free_bytes=CAPACITY,
            measured_at=now,
        )
        for site in sites
    )
    SiteStorage.objects.bulk_create(
        SiteStorage(site=site, storage=storage)
        for site, storage in zip(sites, storages, strict=True)
    )


def _place(site: Site) -> Place:
    n = -(-site.slots // SLOTS_OF_A_NODE)
    return Place(
        caller=Caller.of(identity.pilot_account(site)),
        slots=site.slots,
        nodes=[f"wn{k:04d}.{site.name}" for k in range(n)],
    )


def call(now: dt.datetime) -> None:
    """The pilots of every node have asked: without that brokerage takes a site for dead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_node_asked(site_id, node, %s) FROM jobs_node", [now])
