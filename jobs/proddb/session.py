"""A time of speaking with prodDB, in which nobody waits for it for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections, transaction

from jobs.proddb.router import ALIAS
from pandasite.base.postgres.patience import EVERY_SECONDS, Watch

SECONDS = 20.0  # for one answer, if the server itself does not end what takes too long


class Away(Exception):
    """prodDB does not answer, or not in time; the text says so in one line."""


def available() -> bool:
    """Whether there is a production database at all."""
    return ALIAS in settings.DATABASES


@contextmanager
def open_session() -> Iterator[None]:
    """Speak with prodDB: a server that stands still is given up after SECONDS.

    What is asked raises Away by itself; errors of our own database pass as what they are.
    """
    watch, over = Watch(SECONDS), threading.Event()
    connection = connections[ALIAS]
    if not connection.in_atomic_block:
        with translated():
            connection.close_if_unusable_or_obsolete()
    thread = threading.Thread(target=_look_after, args=(watch, over), daemon=True)
    thread.start()
    try:
        with connection.execute_wrapper(watch.around):
            yield
    finally:
        over.set()
        thread.join()


def _look_after(watch: Watch, over: threading.Event) -> None:
    while not over.wait(EVERY_SECONDS):
        watch.cut_late()


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the database as Away; the connection is closed, so that the next one is new."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        connections[ALIAS].close()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Away(f"prodDB: {lines[0]}"[:500]) from error


@contextmanager
def work() -> Iterator[Any]:
    """A cursor in one transaction of prodDB."""
    with translated(), transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        yield cursor
