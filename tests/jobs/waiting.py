"""Waiting for somebody who waits for us: by what the database says, not by time."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from django.db import connection


def until_it_waits(writing: Future[None]) -> None:
    """For a lock of ours."""
    asked = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    with connection.cursor() as cursor:
        while not writing.done():
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
    pytest.fail("it did not wait")
