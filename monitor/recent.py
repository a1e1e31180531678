"""The dashboard of a moment ago: read and drawn once for all who look at it.

Each web process keeps the boards that are being looked at. One that is older than
PANDASITE_DASHBOARD_SECONDS is read anew by a thread. Who asked first waits a moment for that: a
single viewer, whose page polls more rarely than that, would else always see the reading of the poll
before. All others, and the first when the moment is over, are shown the one that there is. One that
nobody has asked for of late is read before it is shown. Every page says how old it is. With 0
seconds each page reads the database for itself.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError, connections

from monitor import dashboard
from monitor.dashboard import Dashboard
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError
from pandasite.base.snapshot import one_snapshot

log = logging.getLogger(__name__)
STALE = 6  # times as old as it should be: then it is not shown any more
PATIENCE = 0.015  # s that the first asker waits for the thread: too short to be noticed
KEPT = 64  # boards and drawings of one: more than there are windows and kinds of jobs
READY = 4  # drawings made before anybody asks: most look at the same
Draw = Callable[[Dashboard], str]
Key = tuple[int, str]  # hours of the window, kind of jobs ('' = all)


class Board:
    """A dashboard with what was made of it: its facts as text, its drawings by their address."""

    def __init__(self, board: Dashboard) -> None:
        self.board = board
        self.read_at = time.monotonic()
        self._drawn: dict[str, str] = {}
        self._asked: dict[str, Draw] = {}

    @property
    def age(self) -> float:
        """Seconds since it was read."""
        return time.monotonic() - self.read_at

    @cached_property
    def text(self) -> str:
        """The facts as JSON, for comparing: without the moment that they are of."""
        return json.dumps(self.board.as_json(), cls=DjangoJSONEncoder, sort_keys=True)

    def drawn(self, key: str, draw: Draw) -> str:
        """What `draw` makes of it, made once for each key."""
        if key not in self._drawn:
            if len(self._drawn) >= KEPT:
                self._drawn.clear()
                self._asked.clear()
            self._drawn[key] = draw(self.board)
        self._asked[key] = draw
        return self._drawn[key]

    def make_ready(self, before: Board | None) -> None:
        """Draw now what somebody has looked at of the one before, so that nobody waits for it."""
        _ = self.text
        for key, draw in list(before._asked.items())[:READY] if before else ():
            self._drawn[key] = draw(self.board)


_boards: dict[Key, Board] = {}
_being_read: set[Key] = set()
_guard = threading.Lock()


def board(*, hours: int, kind: str) -> Board:
    """The board of this window and kind of jobs; at most STALE times its seconds old.

    That is a second for each day of the window at least: a month has sixty times the counts of
    twelve hours, and changes as much more slowly.
    """
    seconds, key = settings.PANDASITE["DASHBOARD_SECONDS"], (hours, kind)
    seconds = seconds and max(seconds, hours // 24)
    kept = _boards.get(key)
    if not seconds or kept is None or kept.age > STALE * seconds:
        return _read(key)
    if kept.age > seconds:
        reading = _read_aside(key)
        if reading:
            reading.join(PATIENCE)
        return _boards.get(key, kept)
    return kept


def _read(key: Key, *, aside: bool = False) -> Board:
    hours, kind = key
    fresh = Board(dashboard.read(now=database_now(), hours=hours, kind=kind))
    if aside:
        fresh.make_ready(_boards.get(key))
    with _guard:
        if len(_boards) >= KEPT:
            _boards.clear()
        _boards[key] = fresh
    return fresh


def _read_aside(key: Key) -> threading.Thread | None:
    """The thread that reads it, or None when one is at it already."""
    with _guard:
        if key in _being_read:
            return None
        _being_read.add(key)
    reading = threading.Thread(target=_read_in_thread, args=[key], name="dashboard", daemon=True)
    reading.start()
    return reading


def _read_in_thread(key: Key) -> None:
    try:
        with one_snapshot():
            _read(key, aside=True)
    except (DatabaseError, InterfaceError, DomainError) as error:
        # The board that there is gets older, and who asks for it next is told what is wrong.
        log.warning("dashboard_not_read", extra={"error": str(error)})
    finally:
        connections.close_all()
        with _guard:
            _being_read.discard(key)
