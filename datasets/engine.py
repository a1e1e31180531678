"""The built-in transfer engine: works on transfers alone and knows no jobs.

A transfer goes queued -> copying (under a lease) -> done, or back to queued with a growing
pause, or failed with the reason. Every step is a conditional update, so any number of workers
may run, die and repeat.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable

from django.conf import settings

from datasets import services, storage
from datasets.models import File, Replica, StorageElement, Transfer
from pandasite.base.clock import database_now
from pandasite.base.nudge import nudge

log = logging.getLogger(__name__)

BATCH = 500  # transfers offered to the workers per round


def schedule(now: dt.datetime) -> int:
    """Offer what is due to the workers; returns how many. A repeated offer is harmless."""
    services.release_abandoned(now=now)
    due = Transfer.objects.due(now).order_by("next_try_at").values_list("pk", flat=True)[:BATCH]
    for pk in due:
        nudge("datasets.transfer", pk, queue="transfers")
    return len(due)


def run(transfer_id: int) -> bool:
    """Carry out one transfer; True when this call brought the file to its destination.

    1. take it, unless somebody else has; 2. nothing to do when a replica is already there;
    3. copy from the first good source, checking size and adler32; a source with other content
    is marked bad and the next one is tried; 4. register the replica, or queue it again.
    """
    transfer = services.take_transfer(transfer_id, now=database_now())
    if transfer is None:
        return False
    if _is_there(transfer):
        return services.finish_transfer(transfer, source=None, size=0, now=database_now())
    problems: list[str] = []
    for source in _sources(transfer):
        try:
            size = _copy(transfer, source)
        except storage.SourceError as error:
            problems.append(f"{source.name}: {error}")
            _note_missing(transfer, source, error)
        except storage.StorageError as error:
            return _again(transfer, f"{source.name}: {error}", permanent=False)
        else:
            return services.finish_transfer(transfer, source=source, size=size, now=database_now())
    lost = not Replica.objects.filter(file=transfer.file, state=Replica.State.AVAILABLE).exists()
    return _again(transfer, "; ".join(problems) or _no_source(transfer.file), permanent=lost)


def _copy(transfer: Transfer, source: StorageElement) -> int:
    """Bytes copied; SourceError when the source's content is not what the catalogue says."""
    file, target = transfer.file, transfer.destination
    path = storage.path_of(file.scope, file.lfn)
    # A part file per attempt: a worker that only seemed dead cannot write into the next one's.
    tag = f"t{transfer.pk}.{transfer.attempts}"
    storage.discard_old(target.url, path)
    try:
        copied = storage.copy(source.url, target.url, path, tag=tag, progress=_renewer(transfer))
    except storage.StorageError:
        _tidy(target, path, tag)
        raise
    wrong = _mismatch(file, copied)
    if wrong:
        storage.discard(target.url, path, tag=tag)
        services.mark_bad(file, source, wrong)
        raise storage.SourceError(wrong)
    storage.publish(target.url, path, tag=tag)
    return copied.size


def _note_missing(transfer: Transfer, source: StorageElement, error: storage.SourceError) -> None:
    """A file that its storage still does not have in the last try is believed to be lost."""
    last = transfer.attempts >= settings.PANDASITE["TRANSFER_ATTEMPTS"]
    if last and isinstance(error, storage.FileMissing):
        services.mark_bad(transfer.file, source, str(error))


def _tidy(target: StorageElement, path: str, tag: str) -> None:
    try:
        storage.discard(target.url, path, tag=tag)
    except storage.StorageError as error:
        log.warning("part_file_left", extra={"storage": target.name, "error": str(error)})


def _renewer(transfer: Transfer) -> Callable[[int], None]:
    """To be called with every piece: a copy that takes longer than its lease renews it.

    StorageError when somebody else has taken the transfer over.
    """
    pause = settings.PANDASITE["TRANSFER_LEASE_SECONDS"] / 3
    last = time.monotonic()

    def renew(_bytes: int) -> None:
        nonlocal last
        if time.monotonic() - last < pause:
            return
        if not services.renew_transfer(transfer, now=database_now()):
            raise storage.StorageError("another worker has taken over")
        last = time.monotonic()

    return renew


def _mismatch(file: File, copied: storage.Copied) -> str:
    if copied.size != file.size:
        return f"size is {copied.size} bytes, the catalogue says {file.size}"
    if copied.adler32 != file.adler32:
        return f"adler32 is {copied.adler32}, the catalogue says {file.adler32}"
    return ""


def _again(transfer: Transfer, error: str, *, permanent: bool) -> bool:
    log.warning("transfer_failed", extra={"transfer": transfer.pk, "error": error})
    services.retry_or_fail_transfer(transfer, error, permanent=permanent, now=database_now())
    return False


def _is_there(transfer: Transfer) -> bool:
    return Replica.objects.filter(
        file=transfer.file, storage=transfer.destination, state=Replica.State.AVAILABLE
    ).exists()


def _sources(transfer: Transfer) -> list[StorageElement]:
    replicas = Replica.objects.filter(file=transfer.file, state=Replica.State.AVAILABLE)
    return [replica.storage for replica in replicas.select_related("storage").order_by("pk")]


def _no_source(file: File) -> str:
    bad = Replica.objects.filter(file=file, state=Replica.State.BAD).select_related("storage")
    known = "; ".join(f"{replica.storage.name}: {replica.reason}" for replica in bad)
    return f"no good replica of {file}" + (f" ({known})" if known else "")
