"""How storage and links behave, noted from what really happened: once for each bunch of copies."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from django.db import transaction

from datasets.models import Link, StorageElement, StorageHealth
from datasets.quality import mean
from datasets.reasons import reason_of


@dataclass(kw_only=True)
class LinkNotes:
    """Copies over one link: how many arrived, how many did not, bytes and seconds."""

    arrived: int = 0
    failed: int = 0
    size: int = 0
    seconds: float = 0.0


@dataclass(kw_only=True)
class StorageNotes:
    """One storage element: whether it served, seconds to its first bytes, and its last error."""

    served: int = 0
    waited: list[float] = field(default_factory=list)
    error: str = ""


class Notes:
    """What a worker sees on its way."""

    def __init__(self) -> None:
        self.links: defaultdict[tuple[int, int], LinkNotes] = defaultdict(LinkNotes)
        self.storage: defaultdict[int, StorageNotes] = defaultdict(StorageNotes)

    def arrived(
        self,
        source: StorageElement,
        destination: StorageElement,
        *,
        size: int,
        seconds: float,
        first_byte: float,
    ) -> None:
        """A file came through."""
        link = self.links[source.pk, destination.pk]
        link.arrived += 1
        link.size += size
        link.seconds += seconds
        self.storage[source.pk].served += 1
        self.storage[source.pk].waited.append(first_byte)
        self.storage[destination.pk].served += 1

    def source_failed(
        self, source: StorageElement, destination: StorageElement, error: str
    ) -> None:
        """A file could not be read."""
        self.links[source.pk, destination.pk].failed += 1
        self.storage[source.pk].error = error

    def destination_failed(
        self, source: StorageElement, destination: StorageElement, error: str
    ) -> None:
        """A file could not be written."""
        self.links[source.pk, destination.pk].failed += 1
        self.storage[destination.pk].error = error


def note(notes: Notes, *, now: dt.datetime) -> None:
    """Write down what was seen, in one order, so that two workers never wait for each other."""
    for (source_id, destination_id), seen in sorted(notes.links.items()):
        _note_link(source_id, destination_id, seen, now=now)
    for storage_id, served in sorted(notes.storage.items()):
        _note_storage(storage_id, served, now=now)


def note_answer(
    storage: StorageElement, *, error: str, seconds: float | None, now: dt.datetime
) -> None:
    """Write down how a storage element answered somebody else than a copy."""
    seen = StorageNotes(served=not error, error=error)
    if seconds is not None:
        seen.waited.append(seconds)
    _note_storage(storage.pk, seen, now=now)


def _note_link(source_id: int, destination_id: int, seen: LinkNotes, *, now: dt.datetime) -> None:
    with transaction.atomic():
        Link.objects.get_or_create(source_id=source_id, destination_id=destination_id)
        link = Link.objects.select_for_update(no_key=True).get(
            source_id=source_id, destination_id=destination_id
        )
        success = mean(link.success, seen.arrived / (seen.arrived + seen.failed))
        rate = link.bytes_per_second
        if seen.arrived and seen.seconds > 0:
            rate = mean(rate, seen.size / seen.seconds)
        Link.objects.filter(pk=link.pk).update(
            success=min(1.0, max(0.0, success)), bytes_per_second=rate, measured_at=now
        )


def _note_storage(storage_id: int, seen: StorageNotes, *, now: dt.datetime) -> None:
    with transaction.atomic():
        StorageHealth.objects.get_or_create(storage_id=storage_id)
        health = StorageHealth.objects.select_for_update(no_key=True).get(storage_id=storage_id)
        if seen.served:
            health.ok_at, health.failing_since = now, None
        if seen.waited:
            waited = 1000 * sum(seen.waited) / len(seen.waited)
            health.latency_ms = mean(health.latency_ms, waited)
        if seen.error:
            health.error_at, health.error = now, seen.error
            health.reason = reason_of(seen.error)
            if not seen.served:
                health.failing_since = health.failing_since or now
        health.save()
