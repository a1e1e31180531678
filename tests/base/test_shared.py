"""Connections that belong to a kind of work: few, warm, and mended when the server was away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from pandasite.base.postgres.shared import Shared

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shared() -> Iterator[Shared]:
    made = Shared(most=1)
    yield made
    made.close()


def pid_of(line: Any, statement: str = "SELECT pg_backend_pid()") -> int:
    with line.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def pid(shared: Shared) -> int:
    """Of the server process that answers whoever asks now."""
    with shared.line() as line:
        return pid_of(line)


def in_thread(work: Callable[[], int]) -> int:
    """What another thread gets."""
    got: list[int] = []

    def run() -> None:
        try:
            got.append(work())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    return got[0]


def test_one_after_the_other_has_the_same_connection(shared: Shared) -> None:
    assert in_thread(lambda: pid(shared)) == in_thread(lambda: pid(shared)) == pid(shared)
    assert pid(shared) != pid_of(connection)


def test_who_finds_none_free_has_its_own(shared: Shared) -> None:
    with shared.line() as line:
        first = pid_of(line)
        second = in_thread(lambda: pid(shared))
        own = pid(shared)

    assert own == pid_of(connection)
    assert first not in (second, own)
    assert pid(shared) == first


def test_a_connection_that_was_lost_is_made_anew(shared: Shared) -> None:
    first = pid(shared)

    with pytest.raises(OperationalError), shared.line() as line:
        pid_of(line, "SELECT pg_terminate_backend(pg_backend_pid())::int")

    assert pid(shared) not in (first, pid_of(connection))
