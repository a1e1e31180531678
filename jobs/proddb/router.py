"""Which tables live in which database: those of prodDB in theirs, all others in ours."""

from __future__ import annotations

from typing import Any

ALIAS = "proddb"
LABEL = "proddb"


class ProdDbRouter:
    """As Django asks it (settings.DATABASE_ROUTERS)."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if model._meta.app_label == LABEL else None

    db_for_write = db_for_read

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        """None across the two: PostgreSQL could not keep it."""
        labels = {one._meta.app_label, other._meta.app_label}
        return len(labels) == 1 if LABEL in labels else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return (app_label == LABEL) == (db == ALIAS)
