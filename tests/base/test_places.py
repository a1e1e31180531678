"""A server that is full: who needs a connection waits for it, and others give way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from pandasite.base.postgres import base, places, shared
from pandasite.base.postgres.places import REST_SECONDS, Places
from pandasite.base.postgres.shared import Shared

pytestmark = pytest.mark.django_db(transaction=True)
LONG_SECONDS = 60.0  # more than any machine needs


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Places:
    """Those of a process that has not met a full server yet."""
    made = Places(clock=clock)
    monkeypatch.setattr(base, "PLACES", made)
    monkeypatch.setattr(shared, "PLACES", made)
    return made


@pytest.fixture
def lines(here: Places) -> Iterator[Shared]:
    made = Shared(most=1)
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Any]:
    """One more connection, as of another process."""
    made = connection.copy()
    made.inc_thread_sharing()
    made.ensure_connection()
    yield made
    made.close()


@contextmanager
def full() -> Iterator[None]:
    """Inside, the database takes no more connections than it has now."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        cursor.execute(f"ALTER DATABASE {name} CONNECTION LIMIT {cursor.fetchone()[0]}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


def pid(line: Any) -> int:
    with line.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def in_thread(work: Callable[[], int]) -> tuple[threading.Thread, list[Any]]:
    """Another thread at work, and what it gets in the end."""
    got: list[Any] = []

    def run() -> None:
        try:
            got.append(work())
        except OperationalError as error:
            got.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, got


def test_who_finds_the_server_full_waits_until_somebody_goes(here: Places, other: Any) -> None:
    with full():
        thread, got = in_thread(lambda: pid(connection))
        until(lambda: here.wanted)
        other.close()
        thread.join(LONG_SECONDS)

    assert isinstance(got[0], int)
    assert not here.wanted


def test_who_has_waited_in_vain_is_told_why(
    monkeypatch: pytest.MonkeyPatch, here: Places, other: Any
) -> None:
    monkeypatch.setattr(places, "WAIT_SECONDS", -1.0)

    with full():
        thread, got = in_thread(lambda: pid(connection))
        thread.join(LONG_SECONDS)

    assert "too many connections for database" in str(got[0])
    assert not here.wanted


def test_a_connection_that_nobody_uses_gives_its_place(lines: Shared) -> None:
    with lines.line() as line:
        pid(line)

    with full():
        thread, got = in_thread(lambda: pid(connection))
        thread.join(LONG_SECONDS)

    assert isinstance(got[0], int)


def test_one_that_is_in_use_gives_it_when_the_work_is_done(here: Places, lines: Shared) -> None:
    with lines.line() as line, full():
        pid(line)
        thread, got = in_thread(lambda: pid(connection))
        until(lambda: here.wanted)
        assert thread.is_alive()
        open_still = line.connection is not None
    thread.join(LONG_SECONDS)

    assert open_still
    assert isinstance(got[0], int)


def test_a_thread_keeps_no_connection_that_somebody_waits_for(here: Places) -> None:
    kept = pid(connection)
    connection.close_if_unusable_or_obsolete()
    assert pid(connection) == kept

    with here.waiting():
        connection.close_if_unusable_or_obsolete()
    assert connection.connection is None


def test_where_the_server_is_full_work_goes_over_ones_own_connection(
    lines: Shared, clock: Clock
) -> None:
    own = pid(connection)
    with full(), lines.line() as line:
        assert pid(line) == own
    with lines.line() as line:  # for a while nobody tries again
        assert pid(line) == own

    clock.now += REST_SECONDS
    with lines.line() as line:
        assert pid(line) != own


@pytest.mark.parametrize(
    ("words", "is_full"),
    [
        ("FATAL:  sorry, too many clients already", True),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER", True),
        ("FATAL:  remaining connection slots are reserved for non-replication superuser", True),
        ('FATAL:  too many connections for role "pandasite"', True),
        ("ERROR:  no more connections allowed (max_client_conn)", True),
        ("connection refused: is the server running on that host?", False),
    ],
    ids=["clients", "reserved", "reserved-before-16", "role", "pgbouncer", "down"],
)
def test_a_full_server_is_known_by_its_words(here: Places, words: str, is_full: bool) -> None:
    assert here.none_for(OperationalError(words)) is is_full
    assert here.scarce is is_full


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_SECONDS
    while not is_so():
        assert time.monotonic() < end
