"""A time limit on this side of the connection, for a database that stands still.

PostgreSQL ends a statement that takes too long, if it is able to. A server that is stopped, or
whose storage hangs, keeps its connections and says nothing: whoever has asked it something waits
for as long as that lasts, and soon all threads of a web server do. There, `begin` has one thread
look after all that wait: it cuts a connection that has not answered in time, which its owner
learns as an error like any other loss of the server.

From then on until the server answers somebody again, it counts as dumb: one in each second may try,
all others are refused at once. Else requests that wait for a thread would have to wait for those
before them, and those for the server.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

EVERY_SECONDS = 0.25
TRY_SECONDS = 1.0  # between two that ask a server which was dumb


class Watch:
    """Who waits for the database, and since when. `seconds`: for how long they may."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._waiting: dict[int, tuple[int, float]] = {}  # by thread: file, until when
        self._lock = threading.Lock()
        self._try_at = math.inf  # finite: the server is dumb, and may be asked from then on

    def around(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """A statement, as one of Django's `execute_wrappers`."""
        with self.waiting(context["connection"].connection):
            answer = execute(sql, params, many, context)
        self.heard()
        return answer

    @property
    def dumb(self) -> bool:
        """Whether the server has let somebody wait in vain, and has not answered anybody since."""
        return self._try_at < math.inf

    def heard(self) -> None:
        """The server has answered."""
        self._try_at = math.inf

    def may_ask(self) -> bool:
        """Whether there is hope of an answer, or it is this one's turn to try."""
        with self._lock:
            now = self._clock()
            if self.dumb and now < self._try_at:
                return False
            if self.dumb:
                self._try_at = now + TRY_SECONDS
        return True

    def waiting(self, connection: Any, *, most: float = math.inf) -> Waiting:
        """For the time of a question to the server behind this connection (psycopg2's)."""
        return Waiting(self, connection, min(self._seconds, most))

    def begin(self, connection: Any, seconds: float) -> None:
        """This thread asks something; a connection that is closed says so itself."""
        if connection.closed:
            return
        until = self._clock() + seconds
        self._waiting[threading.get_ident()] = connection.fileno(), until

    def end(self) -> None:
        """This thread has its answer; until then its file is not another's."""
        with self._lock:
            self._waiting.pop(threading.get_ident(), None)

    def cut_late(self) -> int:
        """Cut the connections of all that have waited too long; how many those were."""
        now, cut = self._clock(), 0
        with self._lock:
            for thread, (file, until) in [*self._waiting.items()]:
                if until <= now:
                    del self._waiting[thread]
                    _cut(file)
                    cut += 1
            if cut:
                self._try_at = now
        return cut

    def look_after(self) -> None:
        """For ever."""
        while True:
            time.sleep(EVERY_SECONDS)
            self.cut_late()


class Waiting:
    """A context manager written out: it stands around every statement of a web server."""

    __slots__ = ("_connection", "_seconds", "_watch")

    def __init__(self, watch: Watch, connection: Any, seconds: float) -> None:
        self._watch, self._connection, self._seconds = watch, connection, seconds

    def __enter__(self) -> None:
        self._watch.begin(self._connection, self._seconds)

    def __exit__(self, *_: object) -> None:
        self._watch.end()


def _cut(file: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(file)) as line:
        line.shutdown(socket.SHUT_RDWR)


_watch: Watch | None = None


def begin(seconds: float) -> None:
    """From now on connections of this process wait for so long at most, once they are opened."""
    global _watch
    _watch = Watch(seconds)
    threading.Thread(target=_watch.look_after, name="patience", daemon=True).start()


def watch() -> Watch | None:
    """The watch of this process, if it has one."""
    return _watch
