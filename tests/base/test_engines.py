"""The time limits that connections begin with."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from pandasite.engines import without_time_limits

pytestmark = pytest.mark.django_db(transaction=True)


def limits(own: Any) -> list[str]:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    with own.cursor() as cursor:
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])
        return found


def test_a_migration_takes_its_time_but_waits_for_no_lock() -> None:
    """On a slow machine, or a large table; afterwards the usual limits are there again."""
    own: Any = connection.copy()
    usual = limits(own)
    try:
        with without_time_limits(own):
            assert limits(own) == ["0", "0", "3s"]
        assert limits(own) == usual == ["15s", "10s", "3s"]
    finally:
        own.close()
