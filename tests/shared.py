"""Rows that all tests of a module look at: made once, in a transaction that is undone behind it.

Each test has a savepoint of its own, so it may change them; no test of such a module may commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from django.db import transaction
from pytest_django import DjangoDbBlocker

_Made = TypeVar("_Made")


@contextmanager
def made_once(
    make: Callable[[], _Made],
    blocker: DjangoDbBlocker,
    *,
    databases: Sequence[str] = ("default",),
) -> Iterator[_Made]:
    """For a fixture of a module, which has `django_db_setup` in front."""
    with ExitStack() as around:
        with blocker.unblock():
            for name in databases:
                around.enter_context(undone(name, blocker))
            made = make()
        yield made


@contextmanager
def undone(database: str, blocker: DjangoDbBlocker) -> Iterator[None]:
    """The outermost transaction of a database, of which nothing stays."""
    around = transaction.atomic(using=database)
    around.__enter__()
    try:
        yield
    finally:
        with blocker.unblock():
            transaction.set_rollback(True, using=database)
            around.__exit__(None, None, None)
