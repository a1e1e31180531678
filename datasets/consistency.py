"""A storage element compared with the catalogue: what is stored and unknown, known and not stored.

A file of another size than the catalogue says is lost as well, and said to be so.

It goes on where the last round stopped: folder by folder through what is stored (dark files), and
replica by replica through what is known (lost ones). Findings are rows; nothing is changed or
removed here (findings.py).
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef

from datasets import content
from datasets.findings import ALONE, Found, note, resolve
from datasets.models import Replica, StorageCheck, StorageElement, StorageFinding
from datasets.storage import StorageError, path_of
from datasets.storage.listing import Entry, entries

log = logging.getLogger(__name__)

YOUNG = dt.timedelta(hours=24)  # files so new may be on their way into the catalogue
PATH_MAX = 140  # of a folder: scope and two levels are 70 characters
ROUND_SECONDS = 5.0
BATCH = 500  # replicas, or files of a folder, that are compared at once


def run(now: dt.datetime) -> int:
    """A round of the sweep: some seconds of the check that is due the longest; 1 when it ended.

    Tapes are left out: to ask one for each of its files is no small thing.
    """
    hours = settings.PANDASITE["CHECK_STORAGE_HOURS"]
    if not hours:
        return 0
    due = StorageElement.objects.filter(kind=StorageElement.Kind.DISK).exclude(
        consistency__ended_at__gt=now - dt.timedelta(hours=hours)
    )
    # An error puts a storage behind the others until they had their turn.
    storage = due.order_by(F("consistency__looked_at").asc(nulls_first=True), "pk").first()
    if storage is None:
        return 0
    return int(check(storage, now=now, seconds=ROUND_SECONDS).ended_at == now)


def check(storage: StorageElement, *, now: dt.datetime, seconds: float) -> StorageCheck:
    """Go on with the check of a storage element, or begin one, for so long (s).

    It has ended when `ended_at` is `now`. A storage that does not answer is said in `error`.
    """
    end = time.monotonic() + seconds
    state = _begun(storage, now)
    try:
        over = False  # each round gets on by a step at least
        while not (state.replicas_done or over):
            _look_for_lost(state, now)
            over = time.monotonic() >= end
        if state.replicas_done and not (state.folders_done or over):
            _look_for_dark(state, now, end)
        if state.folders_done:
            _end(state, now)
    except StorageError as error:
        state.error = str(error)[:500]
        log.warning("check_stopped", extra={"storage": storage.name, "error": state.error})
    state.save()
    return state


def _begun(storage: StorageElement, now: dt.datetime) -> StorageCheck:
    state, _made = StorageCheck.objects.get_or_create(storage=storage, defaults={"started_at": now})
    if state.folders_done and state.replicas_done:
        state.started_at, state.folders_done, state.replicas_done = now, False, False
        state.after_folder, state.after_replica = "", 0
        state.stored_seen = state.replicas_seen = 0
    state.error, state.looked_at = "", now
    return state


def _end(state: StorageCheck, now: dt.datetime) -> None:
    """What this check did not meet again has been put right, but for files that were declared lost
    and have no other replica: those are not looked for here any more."""
    state.ended_at = now
    gone = StorageFinding.objects.filter(
        storage=state.storage, resolved_at=None, last_seen_at__lt=state.started_at
    )
    good = Replica.objects.filter(file=OuterRef("file"), state=Replica.State.AVAILABLE)
    resolve(gone.exclude(~Exists(good), resolution=ALONE), "not found again", now=now)
    log.info("storage_checked", extra={"storage": state.storage.name})


# -- known, and not stored ---------------------------------------------------------------------


def _look_for_lost(state: StorageCheck, now: dt.datetime) -> None:
    good = Replica.objects.filter(
        storage=state.storage, state=Replica.State.AVAILABLE, pk__gt=state.after_replica
    )
    rows = list(good.select_related("file", "storage").order_by("pk")[:BATCH])
    lost = [found for row in rows if (found := _lost(row))]
    if lost and not entries(state.storage.address, ""):
        raise StorageError(f"{state.storage.name} looks empty: a mount may be away")
    note(state.storage, StorageFinding.Kind.LOST, lost, since=state.started_at, now=now)
    state.replicas_seen += len(rows)
    if len(rows) < BATCH:
        state.replicas_done = True
    else:
        state.after_replica = rows[-1].pk


def _lost(replica: Replica) -> Found | None:
    """It is not there, or has another size than the file it should be."""
    file = replica.file
    path = path_of(file.scope, file.lfn)
    stored = content.size_of(replica.storage, path)
    if stored == file.size:
        return None
    said = "" if stored is None else f"{stored} bytes are stored, the catalogue says {file.size}"
    return Found(path=path, file_id=file.pk, size=file.size, said=said)


# -- stored, and not known ---------------------------------------------------------------------


def _look_for_dark(state: StorageCheck, now: dt.datetime, end: float) -> None:
    """Folder by folder, for as long as there is time."""
    for path, files in _folders(state.storage, state.after_folder):
        for start in range(0, len(files), BATCH):
            some = files[start : start + BATCH]
            known = _known(state.storage, path, [one.name for one in some])
            dark = [
                Found(path=f"{path}/{one.name}", size=one.size)
                for one in some
                if one.name not in known and not _is_young(one, now)
            ]
            note(state.storage, StorageFinding.Kind.DARK, dark, since=state.started_at, now=now)
        state.stored_seen += len(files)
        state.after_folder = path
        if time.monotonic() >= end:
            return
    state.folders_done = True


def _is_young(one: Entry, now: dt.datetime) -> bool:
    return one.changed > (now - YOUNG).timestamp()


def _folders(storage: StorageElement, after: str) -> Iterator[tuple[str, Sequence[Entry]]]:
    """Folders behind `after` with the files in them, a folder before what is in it."""
    yield from _below(storage, "", tuple(after.split("/")) if after else None)


def _below(
    storage: StorageElement, folder: str, after: tuple[str, ...] | None
) -> Iterator[tuple[str, Sequence[Entry]]]:
    """`after`: how the path of the last one goes on below here; None, when it was before here.

    Hidden files are copies on their way; what lies at the root or deeper than any file of ours
    is nobody's business.
    """
    found = [one for one in entries(storage.address, folder) if not one.name.startswith(".")]
    files = [one for one in found if not one.is_folder]
    if files and folder and after is None:
        yield folder, files
    for one in found:
        path = f"{folder}/{one.name}" if folder else one.name
        before = after is not None and one.name < (after or ("",))[0]
        if not one.is_folder or before or len(path) > PATH_MAX:
            continue
        same = bool(after) and after is not None and one.name == after[0]
        yield from _below(storage, path, after[1:] if same and after else None)


_KNOWN = """
SELECT f.scope, f.lfn FROM datasets_file f JOIN datasets_replica r ON r.file_id = f.id
WHERE f.lfn = ANY(%s) AND r.storage_id = %s
"""


def _known(storage: StorageElement, folder: str, names: Sequence[str]) -> set[str]:
    """Those of the files of a folder that the catalogue has here, good or bad, in their place.

    By their LFNs: which scope a folder stands for cannot be told from its path.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [list(names), storage.pk])
        known = cursor.fetchall()
    return {lfn for scope, lfn in known if path_of(scope, lfn) == f"{folder}/{lfn}"}
