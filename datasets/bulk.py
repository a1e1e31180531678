"""The verbs of transfers for a whole bunch: the set-wise half of services.py.

Each is one conditional update, and says which rows it was that moved.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from datasets import registry
from datasets.models import StorageElement, Transfer
from datasets.states import TransferState
from datasets.storage import Unsettled
from datasets.subscriptions import close_subscriptions
from pandasite.base.nudge import nudge

# A copy that is being erased right now (life.py) would take the new one with it: who erases has
# locked its row, so that the transfer is left for later; and waits for us where we were first.
_HOLD = """
WITH s AS MATERIALIZED (
  SELECT * FROM unnest(%(ids)s::bigint[], %(sources)s::bigint[]) AS s (id, source)
), doomed AS MATERIALIZED (
  SELECT r.id, t.id AS transfer_id FROM s JOIN datasets_transfer t ON t.id = s.id
  JOIN datasets_replica r ON r.file_id = t.file_id AND r.storage_id = t.destination_id
  WHERE r.state = 'erasing'
), spared AS MATERIALIZED (
  SELECT r.id FROM datasets_replica r JOIN doomed ON doomed.id = r.id
  FOR KEY SHARE OF r SKIP LOCKED
), mine AS MATERIALIZED (
  SELECT t.id FROM datasets_transfer t JOIN s ON s.id = t.id
  WHERE t.state = 'queued' AND t.carrier = '' AND NOT EXISTS (
    SELECT FROM doomed WHERE doomed.transfer_id = t.id AND doomed.id NOT IN (SELECT id FROM spared))
  ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE datasets_transfer t SET state = 'copying', attempts = t.attempts + 1, source_id = s.source,
  bunch = %(bunch)s, started_at = %(now)s, lease_until = %(until)s, error = '', reason = ''
FROM s JOIN mine ON mine.id = s.id WHERE t.id = s.id RETURNING t.id, t.attempts
"""
_FINISH = """
WITH s AS MATERIALIZED (
  SELECT * FROM unnest(%(ids)s::bigint[], %(attempts)s::int[], %(sources)s::bigint[],
    %(sizes)s::bigint[], %(proofs)s::text[]) AS s (id, attempts, source, size, proof)
), mine AS MATERIALIZED (
  SELECT t.id FROM datasets_transfer t JOIN s ON s.id = t.id
  WHERE t.state = 'copying' AND t.attempts = s.attempts ORDER BY t.id FOR UPDATE OF t
)
UPDATE datasets_transfer t SET state = 'done', source_id = s.source, bytes_moved = s.size,
  proof = s.proof, ended_at = %(now)s, lease_until = NULL
FROM s JOIN mine ON mine.id = s.id WHERE t.id = s.id
RETURNING t.id, t.file_id, t.destination_id
"""


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A file that is at its destination; without a source when it was there before."""

    transfer: Transfer
    source: StorageElement | None
    size: int
    proof: str = ""
    unsettled: Unsettled | None = None


def lease(now: dt.datetime) -> dt.datetime:
    """Until when who takes something now may be silent."""
    return now + dt.timedelta(seconds=settings.PANDASITE["TRANSFER_LEASE_SECONDS"])


def hold(transfers: Sequence[Transfer], *, bunch: uuid.UUID, now: dt.datetime) -> list[Transfer]:
    """Take queued transfers, each from its `source_id`; those that were still to be had."""
    about: dict[str, Any] = {
        "bunch": str(bunch),
        "now": now,
        "until": lease(now),
        "ids": [transfer.pk for transfer in transfers],
        "sources": [transfer.source_id for transfer in transfers],
    }
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, about)
        attempts = dict(cursor.fetchall())
    held = [transfer for transfer in transfers if transfer.pk in attempts]
    for transfer in held:
        transfer.attempts = attempts[transfer.pk]
        transfer.state = TransferState.COPYING
    return held


def renew(bunch: uuid.UUID, *, now: dt.datetime) -> set[int]:
    """Hold the rest of a bunch for one more lease; the transfers that are still held."""
    with transaction.atomic():
        mine = Transfer.objects.filter(bunch=bunch, state=TransferState.COPYING)
        held = mine.order_by("pk").select_for_update(no_key=True)  # in one order, as everywhere
        keys = list(held.values_list("pk", flat=True))
        Transfer.objects.filter(pk__in=keys).update(lease_until=lease(now))
    return set(keys)


def finish(arrived: Sequence[Arrived], *, now: dt.datetime) -> set[int]:
    """Register the replicas and end the transfers; those that nobody else had ended first."""
    if not arrived:
        return set()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _FINISH,
            {
                "now": now,
                "ids": [each.transfer.pk for each in arrived],
                "attempts": [each.transfer.attempts for each in arrived],
                "sources": [each.source.pk if each.source else None for each in arrived],
                "sizes": [each.size for each in arrived],
                "proofs": [each.proof for each in arrived],
            },
        )
        ended = cursor.fetchall()
        if not ended:
            return set()
        keys, files, storages = (list(column) for column in zip(*ended, strict=True))
        registry.add_proven(zip(files, storages, strict=True), now=now)
        for storage_id in sorted(set(storages)):
            of_it = [f for f, s in zip(files, storages, strict=True) if s == storage_id]
            close_subscriptions(of_it, storage_id, now=now)
        nudge("jobs.activate")
        nudge("jobs.complete_transfers")
    return set(keys)
