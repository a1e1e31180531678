"""Third-party copy of XRootD: the servers move the bytes, the worker looks on.

The client looks every 2.5 s how far it is, so that a small file is copied sooner by streaming it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from django.conf import settings

from datasets.storage.base import Copied, StorageError
from datasets.storage.xroot_client import library, patience, words

if TYPE_CHECKING:
    from datasets.storage.xroot import XRootDArrival, XRootDPlace

log = logging.getLogger(__name__)

LEAST_BYTES = 100_000_000


def third_party(
    source: XRootDPlace,
    target: XRootDPlace,
    path: str,
    *,
    expected: Copied,
    tag: str,
    progress: Callable[[int], None],
) -> str:
    """Copy a file between two servers, or within one; how it is proven.

    Empty when they cannot, or did not manage: then the worker streams it, and learns why.
    StorageError when `progress` ends it, or when what has arrived is something else.
    """
    if expected.size < LEAST_BYTES or not _can(source, target):
        return ""
    if source.size(path) != expected.size:
        return ""
    arrival = target.arrive(path, tag=tag, expected=expected)
    with ExitStack() as failed:
        failed.callback(_give_up, arrival)
        watch = Watch(progress)
        error = _copy(source, target, path, arrival, watch)
        if watch.ended:
            raise watch.ended
        proof = "" if error else _prove(arrival, expected)
        if not proof:
            told = {"source": str(source.address), "target": str(target.address), "error": error}
            log.warning("third_party_copy_failed", extra=told)
            return ""
        progress(expected.size)  # the last moment to learn that we are too late
        arrival.publish()
        failed.pop_all()
    return proof


def _can(source: XRootDPlace, target: XRootDPlace) -> bool:
    """Whether both servers say that they do, and none would learn the other's token."""
    if source.door.token not in ("", target.door.token):
        return False
    return all(place.configured("tpc") not in ("", "0", "tpc") for place in (source, target))


def _prove(arrival: XRootDArrival, expected: Copied) -> str:
    """How it is proven; empty when it is not what was expected, or nobody knows.

    Whose fault that is, is learnt by streaming it.
    """
    try:
        return arrival.prove(expected)
    except StorageError:
        return ""


def _copy(
    source: XRootDPlace, target: XRootDPlace, path: str, arrival: XRootDArrival, watch: Watch
) -> str:
    """What went wrong, empty when nothing did."""
    process = library().CopyProcess()
    process.add_job(
        source.door.url(path),
        target.door.url(arrival.part),
        thirdparty="only",
        force=True,
        mkdir=True,
        inittimeout=patience(),
        tpctimeout=_limit(),
        retry=0,
    )
    status = process.prepare()
    if status.ok:
        status, _results = process.run(watch)
    return "" if status.ok else words(status)


def _limit() -> int:
    return int(settings.PANDASITE["TRANSFER_GIVE_UP_HOURS"]) * 3600


def _give_up(arrival: XRootDArrival) -> None:
    with suppress(StorageError):  # what cannot be removed now, the next try removes
        arrival.discard()


class Watch:
    """Hears how far the copy is, and ends it when it stands still or is no longer ours."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.progress = progress
        self.done, self.moved_at = 0, time.monotonic()
        self.ended: Exception | None = None

    def begin(self, _job: int, _total: int, _source: Any, _target: Any) -> None:
        return

    def end(self, _job: int, _results: Any) -> None:
        return

    def update(self, _job: int, done: int, _total: int) -> None:
        if done > self.done:
            self.done, self.moved_at = done, time.monotonic()
        try:
            self.progress(done)
        except Exception as error:  # noqa: BLE001 - the client calls, and would drop it
            self.ended = self.ended or error

    def should_cancel(self, _job: int) -> bool:
        """Asked every few seconds; True ends the copy."""
        if self.ended is None and time.monotonic() - self.moved_at > 2 * patience():
            self.ended = StorageError("timed out: the copy between the servers stands still")
        return self.ended is not None
