"""The facts of a storage element's page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from datasets.models import (
    GB,
    Link,
    SiteStorage,
    StageRequest,
    StorageElement,
    StorageHealth,
    Transfer,
)
from datasets.space import capacity_of
from datasets.states import TransferState
from monitor.storage import findings
from monitor.storage.findings import Checked
from pandasite.base.errors import NotThere

SHOWN = 20  # errors, and links each way
ERRORS_WITHIN = dt.timedelta(days=1)
KINDS = {
    "file": "folder",
    "dav": "WebDAV",
    "davs": "WebDAV over HTTPS",
    "root": "XRootD",
    "roots": "XRootD over TLS",
    "s3": "S3",
}


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Transfers of one activity to the storage element that have not ended."""

    activity: str
    queued: int
    copying: int
    oldest: dt.datetime


@dataclass(frozen=True, kw_only=True)
class StoragePage:
    """A storage element, with what there is to say of it."""

    storage: StorageElement
    health: StorageHealth | None
    sites: Sequence[SiteStorage]
    waiting: Sequence[Waiting]
    staging: int
    incoming: Sequence[Link]
    outgoing: Sequence[Link]
    errors: Sequence[Transfer]
    checked: Checked

    @property
    def kind(self) -> str:
        """What it is, in words; the address itself is the administrator's."""
        protocol = self.storage.url.partition("://")[0]
        tape = ", tape" if self.storage.kind == StorageElement.Kind.TAPE else ""
        return KINDS.get(protocol, protocol) + tape

    @property
    def limit(self) -> int:
        """Copies in and out at once."""
        own = self.storage.max_transfers
        return settings.PANDASITE["STORAGE_TRANSFERS"] if own is None else own

    @property
    def capacity(self) -> int:
        """Bytes, as the storage tells or as declared."""
        return capacity_of(self.storage)

    @property
    def capacity_gb(self) -> float:
        return self.capacity / GB

    @property
    def used_gb(self) -> float | None:
        used = self.storage.used_bytes
        return None if used is None else used / GB

    def as_json(self) -> dict[str, Any]:
        """The facts; sizes in bytes, times in UTC."""
        storage, health = self.storage, self.health
        return {
            "name": storage.name,
            "protocol": storage.url.partition("://")[0],
            "kind": storage.kind,
            "space_token": storage.space_token,
            "sites": [{"site": s.site.name, "role": s.role} for s in self.sites],
            "space": {
                "capacity": self.capacity,
                "used": storage.used_bytes,
                "free": storage.free_bytes,
                "measured_by": storage.space_from,
                "as_of": storage.measured_at,
            },
            "health": health
            and {
                "last_success": health.ok_at,
                "last_error": health.error_at,
                "error": health.error,
                "reason": health.reason,
                "failing_since": health.failing_since,
                "latency_ms": health.latency_ms,
            },
            "max_transfers": self.limit,
            "waiting": [vars(one) for one in self.waiting],
            "staging": self.staging,
            "incoming": [_link_facts(link, link.source) for link in self.incoming],
            "outgoing": [_link_facts(link, link.destination) for link in self.outgoing],
            "errors": [_error_facts(one) for one in self.errors],
            "check": self.checked.as_json(),
        }


def _error_facts(one: Transfer) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "from": one.source and one.source.name,
        "to": one.destination.name,
        "state": one.state,
        "attempts": one.attempts,
        "reason": one.reason,
        "error": one.error,
    }


def _link_facts(link: Link, other: StorageElement) -> dict[str, Any]:
    return {
        "storage": other.name,
        "success": link.success,
        "bytes_per_second": link.bytes_per_second,
        "max_transfers": link.max_transfers,
        "measured_at": link.measured_at,
    }


def read(name: str, *, now: dt.datetime) -> StoragePage:
    """The facts of one storage element; NotThere when there is none of that name."""
    storage = StorageElement.objects.filter(name=name).first()
    if storage is None:
        raise NotThere(f"there is no storage element {name[:80]}")
    links = Link.objects.filter(measured_at__isnull=False).order_by("-measured_at")
    return StoragePage(
        storage=storage,
        health=StorageHealth.objects.filter(storage=storage).first(),
        sites=list(storage.site_storages.select_related("site").order_by("site__name")),
        waiting=_waiting(storage),
        staging=StageRequest.objects.filter(
            storage=storage, state=StageRequest.State.REQUESTED
        ).count(),
        incoming=list(links.filter(destination=storage).select_related("source")[:SHOWN]),
        outgoing=list(links.filter(source=storage).select_related("destination")[:SHOWN]),
        errors=_errors(storage, since=now - ERRORS_WITHIN),
        checked=findings.read(storage),
    )


def _waiting(storage: StorageElement) -> list[Waiting]:
    active = Transfer.objects.active().filter(destination=storage).order_by("activity")
    rows = active.values("activity").annotate(
        queued=Count("pk", filter=Q(state=TransferState.QUEUED)),
        copying=Count("pk", filter=Q(state=TransferState.COPYING)),
        oldest=Min("created_at"),
    )
    return [Waiting(**row) for row in rows]


def _errors(storage: StorageElement, *, since: dt.datetime) -> list[Transfer]:
    """Of those that are tried again, and then of those that were given up of late."""
    about = Transfer.objects.select_related("file", "source", "destination")
    trying = about.filter(state=TransferState.QUEUED, destination=storage).exclude(error="")
    ended = about.filter(Q(destination=storage) | Q(source=storage), ended_at__gte=since)
    failed = ended.filter(state=TransferState.FAILED).order_by("-ended_at")
    found = [*trying.order_by("-next_try_at")[:SHOWN], *failed[:SHOWN]]
    return found[:SHOWN]
