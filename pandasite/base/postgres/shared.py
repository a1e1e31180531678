"""Connections that belong to a kind of work, and not to a thread: whoever does it has one of them.

A server process of PostgreSQL plans the statements of a stored function when it is first asked for
it; for what pilots ask all the time that costs as much as a hundred answers. With a connection for
each thread that is paid by each of them, again and again, and its plans lie in no cache.

They come on top of those of the threads: where the server has no place for them, nobody has one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from pandasite.base.postgres.base import DatabaseWrapper
from pandasite.base.postgres.places import PLACES


class Shared:
    """`most` connections at most, made when they are wanted; outside of transactions only."""

    def __init__(self, *, most: int) -> None:
        self._lock = threading.Lock()
        self._free: list[BaseDatabaseWrapper] = []
        self._left = most  # to be made
        PLACES.may_be_closed(self)

    @contextmanager
    def line(self) -> Iterator[BaseDatabaseWrapper]:
        """The one that was used last of those that nobody has.

        One's own when others have all, or the server is full.
        """
        line = None if PLACES.scarce else self._take()
        if line is None:
            yield connection
            return
        try:
            line.close_if_unusable_or_obsolete()  # as Django does between two requests
            yield line if _has_place(line) else connection
        finally:
            if PLACES.scarce:
                line.close()
            with self._lock:
                self._free.append(line)

    def close(self) -> None:
        """Close those that nobody has; they are opened again when they are wanted."""
        with self._lock:
            for line in self._free:
                line.close()

    def _take(self) -> BaseDatabaseWrapper | None:
        with self._lock:
            if self._free:
                return self._free.pop()
            if not self._left:
                return None
            self._left -= 1
        made: BaseDatabaseWrapper = connection.copy()
        made.inc_thread_sharing()
        if isinstance(made, DatabaseWrapper):
            made.waits_for_place = False
        return made


def _has_place(line: BaseDatabaseWrapper) -> bool:
    """Whether the server takes it; what else is wrong is met by who asks it something."""
    if line.connection is None:
        try:
            line.ensure_connection()
        except OperationalError as error:
            return not PLACES.none_for(error)
    return True
