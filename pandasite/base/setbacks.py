"""Failures of one statement that say nothing against the next: others were in the way."""

from __future__ import annotations

from django.db import OperationalError

PASSING = frozenset(
    {
        "55P03",  # lock_not_available: the lock timeout
        "40P01",  # deadlock_detected
        "40001",  # serialization_failure
        "57014",  # query_canceled: the statement timeout
    }
)


def is_passing(error: OperationalError) -> bool:
    """Whether the connection is good and the work may be tried again, or gone on without."""
    return getattr(error.__cause__, "pgcode", None) in PASSING
