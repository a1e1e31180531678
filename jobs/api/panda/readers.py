"""How many bodies of one account are read at a time.

A thread of the web server waits for a body as long as its sender likes. Bodies of pilots are small
and come with their heads; who holds some of them back gets no more threads.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from pandasite.base.rate import TooOften

MOST = 3  # of the eight threads of a web process
WAIT_SECONDS = 0.05


class Readers:
    """Slots for each account, in this process."""

    def __init__(self) -> None:
        self._slots: dict[Hashable, threading.Semaphore] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, account: Hashable) -> Iterator[None]:
        """One of the account's slots; TooOften when none becomes free soon."""
        with self._lock:
            slots = self._slots.setdefault(account, threading.Semaphore(MOST))
        if not slots.acquire(timeout=WAIT_SECONDS):
            raise TooOften(
                f"{MOST} bodies of this account are being read: come again", retry_after=1
            )
        try:
            yield
        finally:
            slots.release()


READERS = Readers()
