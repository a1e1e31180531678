"""Registering many files at once: in the catalogue, in datasets, and where their replicas are.

Every statement takes all files, in one order, so that two rounds that register some of the same
files wait for each other instead of blocking each other. Repeating it changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection

from pandasite.base.errors import Conflict

Name = tuple[str, str]  # scope, LFN


class NewFile(NamedTuple):
    """A file to register; size in bytes, adler32 as 8 hex digits."""

    scope: str
    lfn: str
    guid: str
    size: int
    adler32: str
    events: int | None = None

    @property
    def name(self) -> Name:
        return self.scope, self.lfn


_SAID = """unnest(%(scopes)s::text[], %(lfns)s::text[], %(guids)s::text[], %(sizes)s::bigint[],
  %(adler32s)s::text[], %(events)s::bigint[]) AS s (scope, lfn, guid, size, adler32, events)"""
_DIFFERENT = f"""
SELECT DISTINCT f.scope, f.lfn, f.guid, f.size, f.adler32
FROM {_SAID} JOIN datasets_file f ON f.scope = s.scope AND f.lfn = s.lfn
WHERE (f.guid, f.size, f.adler32) <> (s.guid, s.size, s.adler32)
"""
_FILES = f"""
INSERT INTO datasets_file (scope, lfn, guid, size, adler32, events, created_at)
SELECT scope, lfn, guid, size, adler32, events, %(now)s FROM {_SAID} ORDER BY scope, lfn
ON CONFLICT (scope, lfn) DO NOTHING
"""
_KEYS = f"""
SELECT f.id, f.scope, f.lfn FROM {_SAID} JOIN datasets_file f ON f.scope = s.scope AND f.lfn = s.lfn
"""
_MEMBERS = """
INSERT INTO datasets_datasetfile (dataset_id, file_id)
SELECT DISTINCT * FROM unnest(%s::bigint[], %s::bigint[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
_REPLICAS = """
INSERT INTO datasets_replica (file_id, storage_id, state, reason, created_at)
SELECT DISTINCT file_id, storage_id, 'available', '', %s::timestamptz
FROM unnest(%s::bigint[], %s::bigint[]) AS r (file_id, storage_id) ORDER BY 1, 2
ON CONFLICT (file_id, storage_id) DO NOTHING
"""
# What has just been stored and proven is good, whatever was thought of an earlier copy. It is as
# new as any: the sweeps over waiting jobs and wishes hear of it by its time.
_PROVEN = """
INSERT INTO datasets_replica AS r (file_id, storage_id, state, reason, created_at)
SELECT DISTINCT file_id, storage_id, 'available', '', %s::timestamptz
FROM unnest(%s::bigint[], %s::bigint[]) AS p (file_id, storage_id) ORDER BY 1, 2
ON CONFLICT (file_id, storage_id) DO UPDATE
SET state = 'available', reason = '', created_at = excluded.created_at
WHERE r.state <> 'available'
"""


def taken(files: Sequence[NewFile]) -> dict[Name, str]:
    """Which names already belong to other content, each with a sentence that says to which."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENT, _said(files))
        return {
            (scope, lfn): f"{scope}:{lfn} is already registered with GUID {guid}, "
            f"{size} bytes, adler32 {adler32}"
            for scope, lfn, guid, size, adler32 in cursor.fetchall()
        }


def enter(files: Sequence[NewFile], *, now: dt.datetime) -> dict[Name, int]:
    """Enter the files in the catalogue where they are new; their keys by name.

    Conflict, with nothing to be kept of this transaction: a name belongs to other content, of
    somebody who was faster than the caller's look at `taken`, or of another of these files.
    """
    if not files:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FILES, {**_said(files), "now": now})
        if refusals := taken(files):
            raise Conflict(next(iter(refusals.values())), code="file_exists")
        cursor.execute(_KEYS, _said(files))
        return {(scope, lfn): key for key, scope, lfn in cursor.fetchall()}


def add_members(members: Iterable[tuple[int, int]]) -> None:
    """Make files members of datasets, as (dataset, file); those that are already stay."""
    pairs = list(members)
    if pairs:
        with connection.cursor() as cursor:
            cursor.execute(_MEMBERS, _columns(pairs))


def add_replicas(replicas: Iterable[tuple[int, int]], *, now: dt.datetime) -> None:
    """Note good replicas, as (file, storage element); a known one stays as it is."""
    pairs = list(replicas)
    if pairs:
        with connection.cursor() as cursor:
            cursor.execute(_REPLICAS, [now, *_columns(pairs)])


def add_proven(replicas: Iterable[tuple[int, int]], *, now: dt.datetime) -> None:
    """The same for content that was stored and proven just now: a bad replica is good again.

    Whoever learns of an arrival comes here: uploads, transfers (bulk.py), a DDM (ddm/arrivals.py).
    """
    pairs = list(replicas)
    if pairs:
        with connection.cursor() as cursor:
            cursor.execute(_PROVEN, [now, *_columns(pairs)])


def _columns(rows: Collection[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _said(files: Sequence[NewFile]) -> dict[str, list[Any]]:
    names = ("scopes", "lfns", "guids", "sizes", "adler32s", "events")
    columns = _columns(files) or [[]] * len(names)
    return dict(zip(names, columns, strict=True))
