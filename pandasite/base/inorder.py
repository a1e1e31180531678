"""Updates of many rows that two processes may do at once.

A bare UPDATE locks rows in the order in which it comes upon them, so that two of them can wait for
each other for ever. Whoever locks in the order of the keys waits for the other's end only.
"""

from __future__ import annotations

from typing import Any

from django.db import models, transaction


def hold(rows: models.QuerySet[Any], *, skip_locked: bool = False) -> list[Any]:
    """Lock rows in the order of their keys, in the caller's transaction; returns the keys.

    With `skip_locked` those that somebody else holds are left to him.
    """
    held = rows.order_by("pk").select_for_update(of=("self",), no_key=True, skip_locked=skip_locked)
    return list(held.values_list("pk", flat=True))


def update(rows: models.QuerySet[Any], **columns: Any) -> int:
    """As `rows.update(...)`, in the order of the keys."""
    with transaction.atomic(using=rows.db):
        keys = hold(rows)
        if not keys:
            return 0
        return rows.model._default_manager.using(rows.db).filter(pk__in=keys).update(**columns)
