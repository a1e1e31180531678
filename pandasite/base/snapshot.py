"""Reading for people and programs: one moment, nothing changed, and an end to every statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg2.errors import QueryCanceled

from pandasite.base.errors import Unprocessable

STATEMENT_MS = 5000


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
