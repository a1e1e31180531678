"""The time, taken once per request or sweep and passed down. Tests pass their own."""

from __future__ import annotations

import datetime as dt

from django.db import connection


def database_now() -> dt.datetime:
    """The database's clock (aware, UTC): one clock for every host."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0].astimezone(dt.UTC)


def full_hour(time: dt.datetime) -> dt.datetime:
    """The start of its hour: what is summed by the hour stands under that."""
    return time.replace(minute=0, second=0, microsecond=0)


def midnight(time: dt.datetime) -> dt.datetime:
    """The start of its day, in its zone."""
    return full_hour(time).replace(hour=0)
