"""Every server process says that it is there: a row of its own, renewed in a thread.

Not by requests: a process that is asked nothing is alive, too, and thousands of requests a second
need not write. A process that ends in order takes its row away; one that was killed, or whose
machine is gone, leaves it behind, and it is shown as silent until a process that does the same on
the same machine has taken its place, or a day is over.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading

import psutil
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from pandasite import __version__
from pandasite.base import broker
from pandasite.base.clock import database_now
from pandasite.base.models import ServerProcess

log = logging.getLogger(__name__)
BEAT_SECONDS = 20  # between two signs of life
SILENT = dt.timedelta(seconds=3 * BEAT_SECONDS)
FORGOTTEN = dt.timedelta(days=1)  # by then somebody has seen it, or it was meant to be
MB = 2**20


class Presence:
    """One process that is there, as `role` (web, worker) and `work` (the queues of a worker)."""

    def __init__(self, role: str, work: str = "") -> None:
        self.key = {"host": settings.PANDASITE_HOST, "role": role, "pid": os.getpid()}
        self.work = work
        self.started_at: dt.datetime | None = None
        self._left = threading.Event()

    def start(self) -> None:
        """Begin to renew the row, now and then every BEAT_SECONDS."""
        threading.Thread(target=self._go_on, name="presence", daemon=True).start()

    def _go_on(self) -> None:
        while not self._left.is_set():
            try:
                self.beat(now=database_now())
            except (DatabaseError, InterfaceError) as error:
                # Who looks sees the row grow older, or no page at all.
                log.warning("presence_not_written", extra={"error": str(error)})
            finally:
                connections.close_all()
            self._left.wait(BEAT_SECONDS)

    def beat(self, *, now: dt.datetime) -> None:
        """Renew the row, and clear away those that need not be looked at any more."""
        self.started_at = self.started_at or now
        facts = {
            "work": self.work,
            "version": __version__,
            "started_at": self.started_at,
            "seen_at": now,
            "memory_mb": psutil.Process().memory_info().rss // MB,
            "broker_ms": broker.ping(),
        }
        ServerProcess.objects.bulk_create(
            [ServerProcess(**self.key, **facts)],
            update_conflicts=True,
            unique_fields=[*self.key],
            update_fields=[*facts],
        )
        silent = ServerProcess.objects.filter(seen_at__lt=now - SILENT)
        silent.filter(host=self.key["host"], role=self.key["role"], work=self.work).delete()
        silent.filter(seen_at__lt=now - FORGOTTEN).delete()

    def leave(self) -> None:
        """The process ends in order: take the row away."""
        self._left.set()
        try:
            ServerProcess.objects.filter(**self.key).delete()
        except (DatabaseError, InterfaceError) as error:
            log.warning("presence_not_ended", extra={"error": str(error)})


_here: list[Presence] = []


def announce(role: str, work: str = "") -> None:
    """From now on this process is shown among the servers."""
    presence = Presence(role, work)
    _here.append(presence)
    presence.start()


def leave() -> None:
    """This process ends in order."""
    while _here:
        _here.pop().leave()
