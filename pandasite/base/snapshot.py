"""Reading for people and programs: one moment, nothing changed, and an end to every statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from psycopg2.errors import QueryCanceled

from pandasite.base.errors import Unprocessable

STATEMENT_MS = 5000
T = TypeVar("T")


@contextmanager
def one_snapshot(statement_ms: int | None = None) -> Iterator[None]:
    """All queries see one moment, change nothing, and end within STATEMENT_MS, or Unprocessable.

    With `statement_ms` they have that long instead; 0: as long as they need.

    Inside of a transaction that is open already (in tests) there is nothing to set.
    """
    if connection.in_atomic_block:
        yield
        return
    limit = STATEMENT_MS if statement_ms is None else statement_ms
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = %s", [limit])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        words = f"this took longer than {limit // 1000} seconds: narrow your search"
        raise Unprocessable(words, code="too_slow") from error


def in_time(read: Callable[[], T], *, ms: int) -> T | None:
    """What `read` finds; None when a statement of it takes longer than `ms`.

    It may be given up in the middle of a page: the limit of what follows is the one from before.
    """
    limit = "set_config('statement_timeout', %s, true)"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT current_setting('statement_timeout'), {limit}", [f"{ms}ms"])
            before = cursor.fetchone()[0]
            found = read()
            cursor.execute(f"SELECT {limit}", [before])
            return found
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return None
