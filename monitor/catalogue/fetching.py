"""A small file's bytes for a page, wherever it lies: a bounded number of them, in bounded time.

A storage elsewhere may take its time, and a page has none: a thread asks it, which is left alone
when it takes too long and ends by the limits of the storage. There are a few of these at most.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable

from datasets.storage import Address, StorageError, open_place

SECONDS = 3.0  # for all replicas together
AT_ONCE = 4  # threads of this process that ask
_free = threading.BoundedSemaphore(AT_ONCE)


def fetch(addresses: Iterable[Address], path: str, *, most: int) -> bytes | None:
    """The content by the first storage element that gives it; None when none does.

    It is cut behind `most` bytes.
    """
    until = time.monotonic() + SECONDS
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        found = _by_a_thread(address, path, most=most, seconds=left)
        if found is not None:
            return found
    return None


def _by_a_thread(address: Address, path: str, *, most: int, seconds: float) -> bytes | None:
    if not _free.acquire(timeout=seconds):
        return None
    answer: queue.Queue[bytes | None] = queue.Queue(1)

    def ask() -> None:
        try:
            answer.put(_read(address, path, most))
        finally:
            _free.release()

    threading.Thread(target=ask, name="preview", daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return None


def _read(address: Address, path: str, most: int) -> bytes | None:
    body = bytearray()
    try:
        with open_place(address).read(path) as pieces:
            for piece in pieces:
                body += piece
                if len(body) > most:
                    break
    except StorageError:
        return None  # another element may have it
    return bytes(body)
