"""A database that stands still is given up after a while."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from pandasite.base.postgres import patience
from pandasite.base.postgres.base import DatabaseWrapper

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 0.3


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> patience.Watch:
    made = patience.Watch(SECONDS)
    monkeypatch.setattr(patience, "_watch", made)
    return made


@pytest.fixture
def ours(watch: patience.Watch) -> Iterator[DatabaseWrapper]:
    """A connection as a web server has it."""
    made: Any = connection.copy()
    yield made
    made.close()


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """The server behind one connection, which is a process of its own."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ask(wrapper: DatabaseWrapper, statement: str = "SELECT pg_backend_pid()") -> int:
    with wrapper.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def late(watch: patience.Watch) -> threading.Thread:
    """Cuts what is late, from now until it has cut something."""

    def look() -> None:
        while not watch.cut_late():
            time.sleep(0.01)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    return thread


def test_a_statement_that_gets_no_answer_ends_as_a_loss_of_the_server(
    watch: patience.Watch, ours: DatabaseWrapper
) -> None:
    pid = ask(ours)

    with standing_still(pid):
        cutter = late(watch)
        with pytest.raises(OperationalError):
            ask(ours)
        cutter.join(timeout=60)

    ours.close_if_unusable_or_obsolete()
    assert ask(ours) != pid  # the next request has another connection


def test_a_commit_that_gets_no_answer_ends_so_too(
    watch: patience.Watch, ours: DatabaseWrapper
) -> None:
    pid = ask(ours)
    ours.set_autocommit(False)
    ask(ours, "SELECT 1")

    with standing_still(pid):
        late(watch)
        with pytest.raises(OperationalError):
            ours.commit()


def test_who_has_an_answer_is_left_alone(watch: patience.Watch, ours: DatabaseWrapper) -> None:
    pid = ask(ours)
    time.sleep(1.2 * SECONDS)

    assert watch.cut_late() == 0
    assert ask(ours) == pid


def test_who_comes_to_a_server_that_was_dumb_is_refused_at_once_but_for_one(
    watch: patience.Watch, ours: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a server that has let somebody wait in vain
    other: Any = connection.copy()
    with standing_still(ask(ours)):
        cutter = late(watch)
        with pytest.raises(OperationalError):
            ask(ours)
        cutter.join(timeout=60)

    # when others come within a second
    try:
        assert watch.may_ask()  # the first of them tries
        with pytest.raises(OperationalError, match="does not answer"):
            ask(other)
        assert watch.dumb

        # then one asks after that second, and all go on when there is an answer
        monkeypatch.setattr(watch, "_clock", lambda: time.monotonic() + patience.TRY_SECONDS)
        assert watch.may_ask()
        assert not watch.may_ask()
        monkeypatch.setattr(watch, "_clock", lambda: time.monotonic() + 2 * patience.TRY_SECONDS)
        assert ask(other) > 0
        assert not watch.dumb
        assert watch.may_ask()
    finally:
        other.close()


def test_a_kept_connection_to_a_server_that_was_dumb_is_refused_and_kept(
    watch: patience.Watch, ours: DatabaseWrapper
) -> None:
    pid = ask(ours)
    ours.health_check_enabled, ours.health_check_done = True, False

    watch._try_at = time.monotonic() + 60
    with pytest.raises(OperationalError, match="does not answer"):
        ask(ours)
    watch.heard()

    assert ask(ours) == pid


def test_a_process_without_a_watch_waits_for_as_long_as_it_takes() -> None:
    assert patience.watch() is None
    assert connection._watch is None
