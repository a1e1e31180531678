"""What lies on which side, and how the database would look for it."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

from jobs import retention
from jobs.models import LIVE_SHELF, AnyJob, AnyJobEvent, AnyJobFile, AnyJobOutput
from tests.builders import after

ANY = (AnyJob, AnyJobFile, AnyJobEvent, AnyJobOutput)
ENDED_TABLES = ("jobs_endedjob", "jobs_endedjobfile", "jobs_endedjobevent", "jobs_endedjoboutput")


def archived() -> list[int]:
    """The PandaIDs that are in the archive."""
    return list(
        AnyJob.objects.exclude(shelf=LIVE_SHELF).order_by("pk").values_list("pk", flat=True)
    )


def whole(panda_id: int) -> dict[str, list[dict[str, Any]]]:
    """A job with all that belongs to it, column by column, wherever it lies."""
    found = {}
    for model in ANY:
        key = "pk" if model is AnyJob else "job"
        rows = list(model._default_manager.filter(**{key: panda_id}).order_by("pk").values())
        found[model.__name__] = [{k: v for k, v in row.items() if k != "shelf"} for row in rows]
    return found


def sides(panda_id: int) -> set[bool]:
    """Whether its rows are in the archive: {True}, {False}, or both when it was torn apart."""
    return {
        row.shelf != LIVE_SHELF
        for model in ANY
        for row in model._default_manager.filter(**{"pk" if model is AnyJob else "job": panda_id})
    }


def plan(rows: QuerySet[Model]) -> str:
    """How the database would read these rows."""
    return str(rows.explain())


def forget_archive() -> None:
    """Empty it, and drop the weeks of the tests' year: behind a test that commits.

    Django empties only the tables that it manages.
    """
    weeks = retention.weeks_before(after(days=4000))  # none of today
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(ENDED_TABLES)}")
        for table in [week.table(parent) for week in weeks for parent in ENDED_TABLES]:
            cursor.execute(f"DROP TABLE {table}")
