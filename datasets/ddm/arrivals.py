"""Files that somebody else has brought, or not: states of transfers and replicas, set by set.

The set-wise half of services.py for carriers other than the engine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import connection

from datasets import registry
from datasets.reasons import reason_of
from datasets.subscriptions import close_subscriptions

Pair = tuple[int, int]  # file and storage element, by key

# Locked in one order, so that two who tell of the same files wait for each other.
_LOCK = """
SELECT t.id FROM unnest(%(files)s::bigint[], %(storages)s::bigint[]) AS p (file_id, storage_id)
JOIN datasets_transfer t
  ON t.file_id = p.file_id AND t.destination_id = p.storage_id AND t.state IN ('queued', 'copying')
ORDER BY t.id FOR NO KEY UPDATE OF t
"""
_DONE = """
UPDATE datasets_transfer t SET state = 'done', bytes_moved = p.size, ended_at = %(now)s,
  lease_until = NULL, error = '', reason = ''
FROM unnest(%(files)s::bigint[], %(storages)s::bigint[], %(sizes)s::bigint[])
  AS p (file_id, storage_id, size)
WHERE t.file_id = p.file_id AND t.destination_id = p.storage_id AND t.state IN ('queued', 'copying')
"""
_FAILED = """
UPDATE datasets_transfer t SET state = 'failed', permanent = p.permanent, error = p.error,
  reason = p.reason, ended_at = %(now)s, lease_until = NULL
FROM unnest(%(files)s::bigint[], %(storages)s::bigint[], %(errors)s::text[], %(reasons)s::text[],
  %(permanents)s::boolean[]) AS p (file_id, storage_id, error, reason, permanent)
WHERE t.file_id = p.file_id AND t.destination_id = p.storage_id AND t.state IN ('queued', 'copying')
  AND NOT EXISTS (SELECT FROM datasets_replica r WHERE r.file_id = p.file_id
    AND r.storage_id = p.storage_id AND r.state = 'available')
RETURNING t.file_id, t.destination_id
"""


def arrived(sizes: Mapping[Pair, int], *, now: dt.datetime) -> None:
    """Good replicas, by file and storage element, of so many bytes; transfers of them are done."""
    if not sizes:
        return
    pairs = sorted(sizes)
    files, storages = [file for file, _ in pairs], [storage for _, storage in pairs]
    said: dict[str, Any] = {"files": files, "storages": storages, "now": now}
    said["sizes"] = [sizes[pair] for pair in pairs]
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, said)
        registry.add_proven(pairs, now=now)
        cursor.execute(_DONE, said)
    for storage in sorted(set(storages)):
        close_subscriptions([f for f, s in pairs if s == storage], storage, now=now)


def failed(why: Mapping[Pair, tuple[str, bool]], *, now: dt.datetime) -> set[Pair]:
    """Transfers end with (error, permanent) where the file is not there; those that did."""
    if not why:
        return set()
    pairs = sorted(why)
    errors = [why[pair][0] for pair in pairs]
    said: dict[str, Any] = {
        "files": [file for file, _ in pairs],
        "storages": [storage for _, storage in pairs],
        "now": now,
        "errors": errors,
        "reasons": [reason_of(error) for error in errors],
        "permanents": [why[pair][1] for pair in pairs],
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, said)
        cursor.execute(_FAILED, said)
        return set(cursor.fetchall())
