"""One cycle at a time. Nothing depends on it but the load: two at once would each do half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError, connection

LOCK = 0x62616D626F6F  # "bamboo"
# It stays in a transaction that has read no row and has no number: vacuum does not wait for it.
# Behind a pooler, too, a transaction keeps its connection, which a session's lock would not.
_ALONE = "SET LOCAL idle_in_transaction_session_timeout = 0"


@contextmanager
def only_one() -> Iterator[bool]:
    """Whether we are the one; the lock ends with the block, or with this process."""
    guard = connection.copy()
    try:
        guard.set_autocommit(False)
        with guard.cursor() as cursor:
            cursor.execute(_ALONE)
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            mine = bool(cursor.fetchone()[0])
        yield mine
        guard.rollback()  # a server that is only hung up on may keep the lock for a while
    finally:
        with suppress(DatabaseError, InterfaceError):  # then it has none any more
            guard.rollback()  # a connection that is closed lets go of it a moment later
        guard.close()
