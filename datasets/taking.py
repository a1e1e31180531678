"""What a worker takes at a time: a bunch of files of one link, within all limits, in fair turns.

One worker takes after the other (an advisory lock, for the milliseconds it lasts), so that limits
are exact and nobody waits for a row. A bunch counts as one copy at a time: its files are copied
one after the other.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from datasets import bulk
from datasets.models import Activity, Link, Replica, StorageElement, Transfer
from datasets.quality import Lane, Offer, first_of, ranked, used_now
from datasets.states import TransferState

LOCK = 0x7061_6E64  # of those who take
BUNCH_BYTES = 256 * 1024 * 1024  # a bunch is over when it has so many, or has one larger file
PAGE, PAGES = 200, 5  # how far is looked behind those whose links are full
EACH_BYTES = 1_000_000  # what a file counts for besides its bytes

_LANES = """
WITH RECURSIVE lane AS (
  (SELECT destination_id, activity FROM datasets_transfer WHERE state = 'queued'
   ORDER BY destination_id, activity LIMIT 1)
  UNION ALL
  SELECT after.* FROM lane, LATERAL (
    SELECT destination_id, activity FROM datasets_transfer WHERE state = 'queued'
      AND (destination_id, activity) > (lane.destination_id, lane.activity)
    ORDER BY destination_id, activity LIMIT 1) after
)
SELECT lane.destination_id, lane.activity, head.priority, head.next_try_at
FROM lane, LATERAL (
  SELECT priority, next_try_at FROM datasets_transfer t
  WHERE state = 'queued' AND t.destination_id = lane.destination_id
    AND t.activity = lane.activity AND next_try_at <= %s AND carrier = ''
  ORDER BY priority DESC, next_try_at LIMIT 1) head
"""
_BUSY = """
SELECT source_id, destination_id, count(DISTINCT bunch) FROM datasets_transfer
WHERE state = 'copying' AND bunch IS NOT NULL AND source_id IS NOT NULL GROUP BY 1, 2
"""


@dataclass(frozen=True, kw_only=True)
class Bunch:
    """Transfers that one worker holds, with other storage elements that have each file."""

    id: uuid.UUID
    transfers: Sequence[Transfer]
    sources: Mapping[int, Sequence[StorageElement]]  # by file, the best first
    there: frozenset[int]  # files that are at the destination already


@dataclass(kw_only=True)
class Traffic:
    """How many bunches are on their way, and how many may be."""

    links: dict[tuple[int, int], int] = field(default_factory=dict)
    ends: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    limits: dict[int, int] = field(default_factory=dict)
    quality: dict[tuple[int, int], Link] = field(default_factory=dict)

    def room_at(self, storage_id: int) -> int:
        """More copies that a storage element takes."""
        most = self.limits.get(storage_id, settings.PANDASITE["STORAGE_TRANSFERS"])
        return most - self.ends[storage_id]

    def room_on(self, source_id: int, destination_id: int) -> int:
        """More copies that a link takes."""
        link = self.quality.get((source_id, destination_id))
        most = link.max_transfers if link else None
        if most is None:
            most = settings.PANDASITE["LINK_TRANSFERS"]
        return most - self.links.get((source_id, destination_id), 0)


def take(*, now: dt.datetime) -> Bunch | None:
    """Hold the next bunch for one lease; None when nothing is due that may start now."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        traffic = _traffic()
        for lane in first_of(_lanes(now)):
            if traffic.room_at(lane.destination_id) <= 0:
                continue
            bunch = _bunch_of(lane, traffic, now=now)
            if bunch is not None:
                _account(lane, bunch, now=now)
                return bunch
    return None


def take_one(transfer_id: int, *, now: dt.datetime) -> Bunch | None:
    """Hold this transfer for one lease, whatever the limits; None when it is not queued."""
    with transaction.atomic():
        found = Transfer.objects.filter(pk=transfer_id, state=TransferState.QUEUED)
        rows = list(found.select_related("file", "destination"))
        return _hold(rows, _sources(rows, Traffic()), now=now) if rows else None


def _traffic() -> Traffic:
    traffic = Traffic()
    with connection.cursor() as cursor:
        cursor.execute(_BUSY)
        for source_id, destination_id, bunches in cursor.fetchall():
            traffic.links[source_id, destination_id] = bunches
            traffic.ends[destination_id] += bunches
            traffic.ends[source_id] += bunches
    limited = StorageElement.objects.values_list("pk", "max_transfers")
    traffic.limits = {pk: most for pk, most in limited if most is not None}
    return traffic


def _lanes(now: dt.datetime) -> list[Lane]:
    accounts = {each.name: each for each in Activity.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute(_LANES, [now])
        rows = cursor.fetchall()
    return [
        Lane(
            destination_id=destination_id,
            activity=activity,
            priority=priority,
            since=since,
            used=used_now(known.used, known.used_at, now) if known else 0.0,
            share=known.share if known else 1,
        )
        for destination_id, activity, priority, since in rows
        for known in [accounts.get(activity)]
    ]


def _bunch_of(lane: Lane, traffic: Traffic, *, now: dt.datetime) -> Bunch | None:
    links = Link.objects.filter(destination_id=lane.destination_id)
    traffic.quality = {(link.source_id, link.destination_id): link for link in links}
    most = settings.PANDASITE["TRANSFER_BUNCH"]
    due = Transfer.objects.due(now).filter(
        destination_id=lane.destination_id, activity=lane.activity
    )
    ordered = due.select_related("file", "destination").order_by(
        F("priority").desc(), "next_try_at"
    )
    page = max(most, PAGE)
    for start in range(0, PAGES * page, page):
        rows = list(ordered[start : start + page])
        sources = _sources(rows, traffic)
        if chosen := _of_one_link(rows, sources, traffic)[:most]:
            return _hold(chosen, sources, now=now)
        if len(rows) < page:
            return None
    return None


def _sources(
    transfers: Iterable[Transfer], traffic: Traffic
) -> dict[int, list[tuple[StorageElement, Offer]]]:
    """By file, the storage elements that have it, the best first; those without room are last."""
    destination_of = {transfer.file_id: transfer.destination_id for transfer in transfers}
    good = Replica.objects.filter(file__in=destination_of, state=Replica.State.AVAILABLE)
    found: dict[int, dict[int, tuple[StorageElement, Offer]]] = defaultdict(dict)
    for replica in good.select_related("storage").order_by("pk"):
        to = destination_of[replica.file_id]
        offer = _offer(replica.storage, to, traffic)
        found[replica.file_id][replica.storage_id] = (replica.storage, offer)
    return {file_id: _in_order(known) for file_id, known in found.items()}


def _in_order(
    known: Mapping[int, tuple[StorageElement, Offer]],
) -> list[tuple[StorageElement, Offer]]:
    first = [offer.storage_id for offer in ranked(offer for _storage, offer in known.values())]
    return [known[pk] for pk in [*first, *(pk for pk in known if pk not in first)]]


def _offer(storage: StorageElement, to: int, traffic: Traffic) -> Offer:
    link = traffic.quality.get((storage.pk, to))
    return Offer(
        storage_id=storage.pk,
        tape=storage.kind == StorageElement.Kind.TAPE,
        success=link.success if link else None,
        rate=link.bytes_per_second if link else None,
        room=min(traffic.room_at(storage.pk), traffic.room_on(storage.pk, to)),
    )


def _of_one_link(
    transfers: Sequence[Transfer],
    sources: Mapping[int, Sequence[tuple[StorageElement, Offer]]],
    traffic: Traffic,
) -> list[Transfer]:
    """The first transfer that may start, and those after it with the same source, up to the size.

    One without any source goes as well: whoever takes it says so.
    """
    chosen: list[Transfer] = []
    link, size = 0, 0
    for transfer in transfers:
        offers = [offer for _storage, offer in sources.get(transfer.file_id, [])]
        here = any(offer.storage_id == transfer.destination_id for offer in offers)
        best = offers[0] if offers else None
        if best is not None and not here:
            if best.room <= 0 or (link and best.storage_id != link):
                continue
            link = link or best.storage_id
        transfer.source_id = best.storage_id if best is not None and not here else None
        chosen.append(transfer)
        size += transfer.file.size
        if size >= BUNCH_BYTES:
            break
    return chosen


def _hold(
    chosen: Sequence[Transfer],
    sources: Mapping[int, Sequence[tuple[StorageElement, Offer]]],
    *,
    now: dt.datetime,
) -> Bunch | None:
    """Mark them as taken, each by the conditional update; those that somebody else has are left."""
    bunch_id = uuid.uuid4()
    held = bulk.hold(chosen, bunch=bunch_id, now=now)
    if not held:
        return None
    known = {file_id: [storage for storage, _o in offers] for file_id, offers in sources.items()}
    return Bunch(
        id=bunch_id,
        transfers=held,
        sources=known,
        there=frozenset(
            transfer.file_id
            for transfer in held
            if any(s.pk == transfer.destination_id for s in known.get(transfer.file_id, []))
        ),
    )


def _account(lane: Lane, bunch: Bunch, *, now: dt.datetime) -> None:
    """Note what the activity was given."""
    cost = sum(transfer.file.size + EACH_BYTES for transfer in bunch.transfers)
    Activity.objects.update_or_create(
        name=lane.activity, defaults={"used": lane.used + cost, "used_at": now}
    )
