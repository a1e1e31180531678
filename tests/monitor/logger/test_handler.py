"""The handler never makes who logs wait, counts what it drops, and begins anew after a fork."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import pytest
from django.db import DatabaseError

from monitor.logger import handler as handling
from monitor.logger.handler import EventHandler
from monitor.logger.records import Line
from monitor.models import LogEvent

Batch = list[Line]


def log(handler: logging.Handler, text: str, level: int = logging.WARNING) -> None:
    handler.handle(logging.LogRecord("jobs.watch", level, __file__, 1, text, (), None))


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Batch]]:
    """The batches that a handler stored, without a database."""
    batches: list[Batch] = []
    monkeypatch.setattr(handling, "store", lambda lines: batches.append(list(lines)))
    monkeypatch.setattr(handling, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(handling, "PAUSE_SECONDS", 0.01)
    yield batches


def test_lines_are_stored_together(stored: list[Batch]) -> None:
    handler = EventHandler()
    for nr in range(3):
        log(handler, f"line {nr}")
    log(handler, "of no interest", logging.DEBUG)

    handler.close()

    assert [line.event for batch in stored for line in batch] == ["line 0", "line 1", "line 2"]
    assert len(stored) == 1


def test_a_full_queue_drops_and_counts_and_nobody_waits(
    stored: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventHandler, "_start", lambda self: None)
    handler = EventHandler(size=2)

    begun = time.monotonic()
    for nr in range(1000):
        log(handler, f"line {nr}")

    assert handler.dropped == 998
    assert time.monotonic() - begun < 5


def test_what_was_dropped_is_told_when_it_goes_again(
    stored: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_lines: object) -> None:
        monkeypatch.setattr(handling, "store", lambda lines: stored.append(list(lines)))
        raise DatabaseError("away")

    monkeypatch.setattr(handling, "store", refuse)
    handler = EventHandler()
    log(handler, "lost")
    while not handler.dropped:
        time.sleep(0.01)
    log(handler, "kept")

    handler.close()

    ((kept, told),) = stored
    assert (kept.event, told.event, told.facts) == ("kept", "log_lines_dropped", {"lines": 1})
    assert handler.dropped == 0


def test_after_a_fork_the_child_stores_its_own_lines_only(stored: list[Batch]) -> None:
    handler = EventHandler()
    log(handler, "of the parent")
    reader, writer = os.pipe()
    if not (child := os.fork()):
        stored.clear()
        log(handler, "of the child")
        handler.flush_now()
        os.write(writer, "|".join(line.event for batch in stored for line in batch).encode())
        os._exit(0)
    os.waitpid(child, 0)

    handler.close()

    assert os.read(reader, 1000) == b"of the child"
    assert [line.event for batch in stored for line in batch] == ["of the parent"]
    os.close(reader), os.close(writer)


def test_a_thread_that_died_is_started_again(
    stored: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = EventHandler()
    log(handler, "first")
    while not stored:
        time.sleep(0.01)
    dead = handler._thread
    handler._ending.set()
    assert dead is not None
    dead.join(60)
    handler._ending.clear()

    log(handler, "second")
    handler.close()

    assert stored[-1][0].event == "second"


@pytest.mark.django_db(transaction=True)
def test_a_line_is_in_the_database_a_moment_after_it_was_logged() -> None:
    handler = EventHandler()
    log(handler, "watchdog")

    handler.close()

    row = LogEvent.objects.get()
    assert (row.event, row.kind, row.level, row.process) == (
        "watchdog",
        "dispatch",
        30,
        os.getpid(),
    )
