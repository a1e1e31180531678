"""The database engine that the settings name.

Django's health check is a query before the first one of each request: half of what a heartbeat
costs. A connection that worked within the last second is taken at its word; should the server have
gone in that second, the request is answered 503, and the next one connects anew. A server that has
let others wait in vain is not waited for (`patience`); one that is full is, for a moment
(`places`).
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from functools import partial
from typing import Any, Final

from django.db.backends.postgresql.base import DatabaseWrapper as Postgres
from django.db.utils import OperationalError

from pandasite.base.postgres import patience
from pandasite.base.postgres.places import PLACES

TRUSTED_SECONDS: Final = 1.0
PROOF_SECONDS: Final = 5.0  # as long as a new connection may take


class DatabaseWrapper(Postgres):
    """PostgreSQL, whose connections are proved at most once in a second, and cut when dumb."""

    health_check_enabled: bool  # the stubs leave it out
    health_check_done: bool
    waits_for_place = True
    _proved = -TRUSTED_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = patience.watch()
        if self._watch:
            self.execute_wrappers.append(self._watch.around)

    def get_new_connection(self, conn_params: Any) -> Any:
        """Connect, unless the server is known to answer nobody."""
        self._refuse_if_dumb()
        connect = partial(super().get_new_connection, conn_params)
        made = PLACES.insist(connect) if self.waits_for_place else connect()
        if self._watch:
            self._watch.heard()
        return made

    def _refuse_if_dumb(self) -> None:
        if self._watch and not self._watch.may_ask():
            raise OperationalError("the database does not answer")

    def _commit(self) -> None:
        with self._waiting():
            super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        with self._waiting():
            super()._rollback()  # type: ignore[misc]

    def is_usable(self) -> bool:
        """Whether the server answers."""
        with self._waiting(most=PROOF_SECONDS):
            usable = bool(super().is_usable())
        if usable and self._watch:
            self._watch.heard()
        return usable

    def _waiting(self, *, most: float = math.inf) -> Any:
        """For what goes to the server without a statement of ours."""
        if self._watch is None or self.connection is None:
            return nullcontext()
        return self._watch.waiting(self.connection, most=most)

    def close_if_unusable_or_obsolete(self) -> None:
        """As Django asks between two requests. Nor is one kept that somebody waits for."""
        if PLACES.wanted:
            self.close()
        super().close_if_unusable_or_obsolete()

    def close_if_health_check_failed(self) -> None:
        """Close a connection that does not answer, unless it did a moment ago."""
        if self.connection is None or not self.health_check_enabled or self.health_check_done:
            return
        if self._watch and self._watch.dumb:
            self._refuse_if_dumb()
            self._proved = -TRUSTED_SECONDS
        now = time.monotonic()
        if now - self._proved < TRUSTED_SECONDS:
            self.health_check_done = True
            return
        super().close_if_health_check_failed()
        self._proved = now
