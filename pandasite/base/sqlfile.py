"""Functions and triggers of the database, each in a file `<app>/sql/<name>.sql`."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def sql_file(app: str, name: str) -> str:
    """The text of a file. It says CREATE OR REPLACE: a later migration runs it again."""
    return Path(settings.BASE_DIR, app, "sql", f"{name}.sql").read_text(encoding="utf-8")
