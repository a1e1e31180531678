"""Reading for people and programs: one moment, nothing changed, and an end to every statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg2.errors import QueryCanceled

from pandasite.base.errors import Unprocessable

STATEMENT_MS = 5000


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All queries see one moment, change nothing, and end within STATEMENT_MS, or Unprocessable.

    Inside of a transaction that is open already (in tests) there is nothing to set.
    """
    if connection.in_atomic_block:
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_MS])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        words = f"this took longer than {STATEMENT_MS // 1000} seconds: narrow your search"
        raise Unprocessable(words, code="too_slow") from error
