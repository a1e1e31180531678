"""The table of error meanings, made equal to jobs/errors.py."""

from __future__ import annotations

from typing import Any

from jobs.errors import catalogue
from jobs.models import ErrorCode


def sync_catalogue() -> int:
    """Write the reviewed rows; returns how many there are.

    Meanings are ours, `do_not_retry` of a row that exists is the administrator's, and rows of
    other sources stay.
    """
    ErrorCode.objects.bulk_create(
        [
            ErrorCode(
                component=row.component,
                code=row.code,
                source=row.source,
                acronym=row.acronym,
                meaning=row.meaning,
                do_not_retry=row.do_not_retry,
            )
            for row in catalogue()
        ],
        update_conflicts=True,
        unique_fields=["component", "code", "source"],
        update_fields=["acronym", "meaning"],
    )
    return len(catalogue())


def sync_after_migrate(**_: Any) -> None:
    """Signal handler: the table exists now."""
    sync_catalogue()
