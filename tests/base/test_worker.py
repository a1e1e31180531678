"""A worker and the process of its timetable."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

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
