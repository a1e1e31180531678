"""The database engine that the settings name.

Django's health check is a query before the first one of each request: half of what a heartbeat
costs. A connection that worked within the last second is taken at its word; should the server have
gone in that second, the request is answered 503, and the next one connects anew.
"""

from __future__ import annotations

import time
from typing import Final

from django.db.backends.postgresql.base import DatabaseWrapper as Postgres

TRUSTED_SECONDS: Final = 1.0


class DatabaseWrapper(Postgres):
    """PostgreSQL, whose connections are proved at most once in a second."""

    health_check_enabled: bool  # the stubs leave it out
    health_check_done: bool
    _proved = -TRUSTED_SECONDS

    def close_if_health_check_failed(self) -> None:
        """Close a connection that does not answer, unless it did a moment ago."""
        if self.connection is None or not self.health_check_enabled or self.health_check_done:
            return
        now = time.monotonic()
        if now - self._proved < TRUSTED_SECONDS:
            self.health_check_done = True
            return
        super().close_if_health_check_failed()
        self._proved = now
