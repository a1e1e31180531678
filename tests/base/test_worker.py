"""A worker and the process of its timetable."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from kombu.exceptions import OperationalError

from pandasite import celery


class Beat:
    """A process that has ended."""

    exitcode = -9

    def join(self) -> None:
        pass


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Signals that would have been sent; the worker is not ending by itself."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(celery.os, "kill", lambda *to: found.append(to))
    celery._ending.clear()
    yield found
    celery._ending.clear()


def test_a_worker_whose_timetable_has_died_ends_in_order(sent: list[tuple[int, int]]) -> None:
    celery._follow(Beat())

    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_a_worker_that_ends_anyway_is_not_told_again(sent: list[tuple[int, int]]) -> None:
    celery._note_the_end()

    celery._follow(Beat())

    assert sent == []


def test_a_worker_without_a_timetable_follows_nobody(sent: list[tuple[int, int]]) -> None:
    celery._end_without_a_timetable(SimpleNamespace(controller=SimpleNamespace(beat=None)))

    assert sent == []


def test_a_worker_tries_its_broker_again_after_five_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: None)
    pauses: list[float] = []

    away = celery.app.connection_for_read("redis://127.0.0.1:1//")
    with away, pytest.raises(OperationalError):
        away.ensure_connection(lambda _why, pause: pauses.append(pause), 8)

    assert pauses == [1, 2, 3, 4, 5, 5, 5, 5]
