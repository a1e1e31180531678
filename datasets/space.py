"""Space of storage elements, as brokerage and the pages read it.

What the storage itself says counts where it says something: its quota (WebDAV, XRootD), or its disk
when no capacity is declared. Else it is the declared capacity less what the catalogue has there.
"""

from __future__ import annotations

import datetime as dt
import time

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from datasets import health
from datasets import storage as places
from datasets.models import Replica, StorageElement
from datasets.storage import Space
from pandasite.base.nudge import nudge

CATALOGUE = "catalogue"


def capacity_of(storage: StorageElement) -> int:
    """Bytes that it has room for: as it tells itself, else as declared; 0 where nobody knows."""
    if storage.space_from in ("", CATALOGUE):
        return storage.capacity_bytes
    return (storage.used_bytes or 0) + (storage.free_bytes or 0)


def measure_storage(*, now: dt.datetime) -> int:
    """Set used and free space, with the time, and have those asked that can tell; rows set.

    A storage elsewhere is asked by a worker of the transfers: it may take its time to answer.
    """
    measured = 0
    good = Q(replicas__state=Replica.State.AVAILABLE)
    used_by = StorageElement.objects.annotate(
        used=Coalesce(Sum("replicas__file__size", filter=good), 0)
    ).only("pk", "capacity_bytes", "url", "space_from")
    for element in used_by:
        if element.url.startswith("file://"):
            if not element.capacity_bytes and _from_disk(element, now=now):
                measured += 1
                continue
        elif element.url.startswith(("dav", "root")):
            nudge("datasets.ask_for_space", element.pk, queue="transfers")
            if element.space_from == "quota" or _is_from_disk(element):
                continue
        used = int(element.used)
        measured += _set(element, capacity=element.capacity_bytes, used=used, by=CATALOGUE, now=now)
    return measured


def ask(storage_id: int, *, now: dt.datetime) -> bool:
    """Ask a storage element for its quota, and note how it answers; whether it told.

    One that does not answer keeps what it said last, with the time of that.
    """
    element = StorageElement.objects.filter(pk=storage_id).first()
    if element is None:
        return False
    begun, error, found = time.monotonic(), "", None
    try:
        found = places.open_place(element.address).space()
    except places.StorageError as refusal:
        error = str(refusal)
    seconds = None if error else time.monotonic() - begun
    health.note_answer(element, error=error, seconds=seconds, now=now)
    if found is None or (found.said_by == "disk" and element.capacity_bytes):
        if not error:  # it tells no longer: the catalogue counts again
            StorageElement.objects.filter(pk=storage_id).update(space_from="")
        return False
    return bool(_set_found(element, found, now=now))


def _is_from_disk(element: StorageElement) -> bool:
    """Whether its disks count, for want of a quota and of a declared capacity."""
    return element.space_from == "disk" and not element.capacity_bytes


def _from_disk(element: StorageElement, *, now: dt.datetime) -> int:
    try:
        found = places.open_place(element.address).space()
    except places.StorageError:
        return 0  # a mount that is away: the copies say so
    return _set_found(element, found, now=now) if found else 0


def _set_found(element: StorageElement, found: Space, *, now: dt.datetime) -> int:
    return _set(element, capacity=found.capacity, used=found.used, by=found.said_by, now=now)


def _set(element: StorageElement, *, capacity: int, used: int, by: str, now: dt.datetime) -> int:
    return StorageElement.objects.filter(pk=element.pk).update(
        used_bytes=used, free_bytes=max(0, capacity - used), space_from=by, measured_at=now
    )
