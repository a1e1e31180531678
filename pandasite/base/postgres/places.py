"""A server that has no place for one more connection: who needs one waits a moment for it.

Meanwhile others of this process give way: connections that nobody uses are closed (those of
`shared`), and a thread closes its own when its request is done, and opens it for the next one. So a
host that was given fewer connections than it has threads gets slower, and goes on to answer.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakSet

from psycopg2 import OperationalError

WAIT_SECONDS = 3.0  # for a place
PAUSE_SECONDS = 0.05  # between two looks: a place may be given free by another process, too
REST_SECONDS = 10.0  # for which nobody opens more than it needs
# SQLSTATE 53300 in PostgreSQL's words, and PgBouncer's: psycopg2 has no code of an error that comes
# before there is a connection. In other languages than English nobody waits.
_FULL = re.compile(
    r"too many clients already|too many connections for|connection slots are reserved"
    r"|no more connections allowed"
)


class Luxury(Protocol):
    """Connections without which everybody can do his work, if more slowly."""

    def close(self) -> None:
        """Close those that nobody has at the moment."""


class Places:
    """Who of this process waits for a place, and whether there was one lately."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._full_until = -REST_SECONDS
        self._luxuries: WeakSet[Luxury] = WeakSet()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits: who has a connection that he does not need closes it."""
        return self._waiting > 0

    @property
    def scarce(self) -> bool:
        """Whether there was none a moment ago."""
        return self._clock() < self._full_until

    def may_be_closed(self, luxury: Luxury) -> None:
        """From now on these connections are closed when somebody waits."""
        self._luxuries.add(luxury)

    def none_for(self, error: BaseException) -> bool:
        """Whether that is why the server refused a connection; it is remembered."""
        found = _FULL.search(str(error)) is not None
        if found:
            self._full_until = self._clock() + REST_SECONDS
        return found

    def insist(self, connect: Callable[[], Any]) -> Any:
        """A new connection, when there is a place for it; what `connect` raises after a while."""
        try:
            return connect()
        except OperationalError as error:
            if not self.none_for(error):
                raise
        until = self._clock() + WAIT_SECONDS
        with self.waiting():
            while True:
                for luxury in list(self._luxuries):
                    luxury.close()
                try:
                    return connect()
                except OperationalError as error:
                    if not self.none_for(error) or self._clock() > until:
                        raise
                time.sleep(PAUSE_SECONDS)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, somebody waits."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1


PLACES = Places()
