"""The logging handler, named in the settings, that keeps lines for the monitor.

Nobody who logs waits: `emit` puts a line into a bounded queue, and a thread of each process stores
what has gathered, a batch at a time over a connection that it closes again. When the queue is full,
or the database is away, lines are dropped and counted; the number is stored as a line of its own
once that goes again. After a fork the child begins with an empty queue and no thread.

This module is imported by the settings: models are imported when the first batch is stored.
"""

from __future__ import annotations

import atexit
import datetime as dt
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Sequence

import django.db
from django.apps import apps

from monitor.logger.kinds import is_kept, is_routine
from monitor.logger.records import Line, line_of

BATCH = 500  # lines of one INSERT
GATHER_SECONDS = 1.0  # that a line waits for company
PAUSE_SECONDS = 10.0  # after the database refused a batch
LAST_SECONDS = 2.0  # that the end of a process waits for its last lines
OURS = "monitor.logger"
DROPPED = "log_lines_dropped"

_handlers: weakref.WeakSet[EventHandler] = weakref.WeakSet()


class EventHandler(logging.Handler):
    """Keeps records from INFO or WARNING on, see kinds.is_kept; `size` lines wait at most."""

    def __init__(self, size: int = 10_000, level: int | str = logging.INFO) -> None:
        super().__init__(level)
        self.size = size
        self._start_anew()
        _handlers.add(self)

    def _start_anew(self) -> None:
        """As in a new process: nothing waits, and nobody stores."""
        self._lines: queue.Queue[Line] = queue.Queue(self.size)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._ending = threading.Event()
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits, never raises."""
        if not is_kept(record.name, record.levelno) or threading.current_thread() is self._thread:
            return
        try:
            line = line_of(record)
            if is_routine(line.event, line.facts):
                return
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1
        except Exception:  # noqa: BLE001  (as all of logging: who logs must not fail for it)
            self.handleError(record)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._starting:
            gone = self._thread is None or not self._thread.is_alive()
            if gone and not self._ending.is_set():
                thread = threading.Thread(target=self._work, name="log events", daemon=True)
                self._thread = thread
                try:
                    thread.start()
                except RuntimeError:  # the interpreter ends
                    self._ending.set()

    def _work(self) -> None:
        while not apps.ready and not self._ending.wait(0.1):
            pass
        while not self._ending.is_set() or not self._lines.empty():
            lines = self._gather()
            if lines and not self._stored(lines):
                self.dropped += len(lines)
                self._ending.wait(PAUSE_SECONDS)

    def _gather(self) -> list[Line]:
        """The first line that comes, and those that come within a moment."""
        try:
            lines = [self._lines.get(timeout=GATHER_SECONDS)]
        except queue.Empty:
            return []
        until = time.monotonic() + GATHER_SECONDS
        while len(lines) < BATCH:
            left = 0.0 if self._ending.is_set() else max(0.0, until - time.monotonic())
            try:
                lines.append(self._lines.get(block=left > 0, timeout=left or None))
            except queue.Empty:
                break
        return lines

    def _stored(self, lines: Sequence[Line]) -> bool:
        """Whether the batch is in the database, with the number of what was dropped before."""
        dropped = self.dropped
        try:
            store([*lines, _dropped(dropped)] if dropped else lines)
        except django.db.Error:  # not logged: that would be the next line to store
            return False
        self.dropped -= dropped
        return True

    def flush_now(self, seconds: float = LAST_SECONDS) -> None:
        """Store what waits, and end the thread; at the end of a process."""
        self._ending.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def close(self) -> None:
        self.flush_now()
        super().close()


def store(lines: Sequence[Line]) -> None:
    """Write the lines in one INSERT, over a connection that is closed behind it."""
    from django.conf import settings

    from monitor.models import LogEvent

    try:
        LogEvent.objects.bulk_create(
            LogEvent(host=settings.PANDASITE_HOST, **vars(line)) for line in lines
        )
    finally:
        django.db.connection.close()


def _dropped(n: int) -> Line:
    return Line(
        at=dt.datetime.now(dt.UTC),
        kind="server",
        level=logging.WARNING,
        logger=OURS,
        event=DROPPED,
        facts={"lines": n},
        process=os.getpid(),
        request_id="",
    )


def _after_fork() -> None:
    for handler in _handlers:
        handler._start_anew()


def _at_exit() -> None:
    for handler in list(_handlers):
        handler.flush_now()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
