"""What checks of storage have found, and what is done about it: only what somebody asks for."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet

from datasets import content
from datasets.content import StorageError
from datasets.demand import request_transfers
from datasets.models import File, Replica, StorageElement, StorageFinding, Transfer
from datasets.subscriptions import reopen_for
from pandasite.base import audit, inorder
from pandasite.base.errors import BadInput

log = logging.getLogger(__name__)

SIGHTINGS = 2  # of different checks, before anything may be done about it
BATCH = 1000
ALONE = "lost: no other replica is left"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that one side has and the other has not; `said`: what more is to be told of it."""

    path: str
    file_id: int | None = None
    size: int | None = None
    said: str = ""


_NOTE = """
INSERT INTO datasets_storagefinding AS f (storage_id, kind, path, file_id, size, sightings,
  first_seen_at, last_seen_at, resolution)
SELECT %(storage)s, %(kind)s, s.path, s.file_id, s.size, 1, %(now)s, %(now)s, s.said
FROM unnest(%(paths)s::text[], %(files)s::bigint[], %(sizes)s::bigint[], %(said)s::text[])
  AS s (path, file_id, size, said) ORDER BY s.path
ON CONFLICT (storage_id, kind, path) WHERE resolved_at IS NULL DO UPDATE SET
  sightings = f.sightings + (f.last_seen_at < %(since)s)::int, last_seen_at = %(now)s,
  resolution = excluded.resolution
"""


def note(
    storage: StorageElement,
    kind: StorageFinding.Kind,
    found: Sequence[Found],
    *,
    since: dt.datetime,
    now: dt.datetime,
) -> None:
    """Write them down; what an earlier check (one before `since`) had found gets a sighting."""
    if not found:
        return
    about: dict[str, Any] = {
        "storage": storage.pk,
        "kind": str(kind),
        "paths": [one.path for one in found],
        "files": [one.file_id for one in found],
        "sizes": [one.size for one in found],
        "said": [one.said for one in found],
        "since": since,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, about)


def resolve(findings: QuerySet[StorageFinding], words: str, *, now: dt.datetime) -> int:
    """They need no more attention."""
    open_ = findings.filter(resolved_at=None)
    return inorder.update(open_, resolved_at=now, resolution=words[:255])


def confirmed(storage: StorageElement, kind: StorageFinding.Kind) -> QuerySet[StorageFinding]:
    """Open findings that two checks have met."""
    return StorageFinding.objects.filter(
        storage=storage, kind=kind, resolved_at=None, sightings__gte=SIGHTINGS
    ).order_by("pk")


# -- lost files --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Replicas that are bad now: `asked` come again from elsewhere, `alone` are lost."""

    asked: int
    alone: int


def declare_lost(
    storage: StorageElement, *, actor: User | str, reason: str, now: dt.datetime
) -> Declared:
    """Believe the confirmed findings: the replicas are bad, and files are asked for again.

    A file without another good replica stays in the list of what is lost (its finding is open).
    """
    if not reason.strip():
        raise BadInput("a reason is needed", code="reason_required")
    asked = alone = 0
    while findings := list(
        confirmed(storage, StorageFinding.Kind.LOST).exclude(resolution=ALONE)[:BATCH]
    ):
        with transaction.atomic():
            files = [one.file_id for one in findings if one.file_id]
            bad = Replica.objects.filter(
                storage=storage, file__in=files, state=Replica.State.AVAILABLE
            )
            inorder.update(bad, state=Replica.State.BAD, reason=f"lost: {reason}"[:255])
            reopen_for(files, storage)
            good = Replica.objects.filter(file__in=files, state=Replica.State.AVAILABLE)
            elsewhere = set(good.values_list("file", flat=True))
            mine = StorageFinding.objects.filter(pk__in=[one.pk for one in findings])
            resolve(mine.filter(file__in=elsewhere), "asked for again from elsewhere", now=now)
            mine.exclude(file__in=elsewhere).update(resolution=ALONE)
            wanted = list(File.objects.filter(pk__in=elsewhere).order_by("pk"))
            request_transfers(wanted, storage, now=now)
            asked += len(wanted)
            alone += len(findings) - len(wanted)
    if asked or alone:
        facts = {"asked": asked, "alone": alone}
        audit.record(
            actor=actor,
            action="declare_lost",
            subject=f"storage {storage}",
            reason=reason,
            now=now,
            facts=facts,
        )
    return Declared(asked=asked, alone=alone)


# -- dark files --------------------------------------------------------------------------------


def _by_key(findings: QuerySet[StorageFinding]) -> Iterator[StorageFinding]:
    """All of them, a page at a time; those dealt with may drop out meanwhile."""
    last = 0
    while page := list(findings.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield from page
        last = page[-1].pk


def remove_dark(
    storage: StorageElement,
    *,
    older_than: dt.timedelta,
    actor: User | str,
    reason: str,
    now: dt.datetime,
) -> int:
    """Remove confirmed dark files that were first seen so long ago; how many.

    What has become known meanwhile, or is on its way here, stays.
    """
    removed, size = 0, 0
    old = confirmed(storage, StorageFinding.Kind.DARK).filter(first_seen_at__lte=now - older_than)
    for finding in _by_key(old):
        if _is_wanted(storage, finding.path):
            words = "known by now"
        else:
            try:
                content.remove(storage, finding.path)
            except StorageError as error:
                log.warning("dark_not_removed", extra={"path": finding.path, "error": str(error)})
                continue
            words = f"removed: {reason}"
            removed, size = removed + 1, size + (finding.size or 0)
        resolve(StorageFinding.objects.filter(pk=finding.pk), words, now=now)
    if removed:
        audit.record(
            actor=actor,
            action="remove_dark",
            subject=f"storage {storage}",
            reason=reason,
            now=now,
            facts={"files": removed, "bytes": size},
        )
    return removed


def _is_wanted(storage: StorageElement, path: str) -> bool:
    files = [
        file.pk
        for file in File.objects.filter(lfn=path.rpartition("/")[2])
        if path.startswith(content.path(file).rsplit("/", 3)[0] + "/")  # in the folder of its scope
    ]
    here = Replica.objects.filter(file__in=files, storage=storage)
    coming = Transfer.objects.active().filter(file__in=files, destination=storage)
    return here.exists() or coming.exists()


def lost_files() -> QuerySet[File]:
    """Files of the catalogue that had replicas and have no good one left."""
    good = Replica.objects.filter(state=Replica.State.AVAILABLE).values("file")
    return File.objects.filter(replicas__state=Replica.State.BAD).exclude(pk__in=good).distinct()
