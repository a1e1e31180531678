"""Samples of CPU time and memory of running jobs: at most 48 an attempt, for three days.

Heartbeats append them (jobs/sql/report.sql) to the partition of the day; days go as a whole.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import connection

DAYS_AHEAD = 3  # partitions that wait for their day, while no housekeeping runs


def keep(now: dt.datetime) -> int:
    """Make the next days' partitions and drop the old ones; returns how many went."""
    with connection.cursor() as cursor:
        days = settings.PANDASITE["SAMPLE_DAYS"]
        cursor.execute("SELECT jobs_sample_days(%s, %s, %s)", [now, DAYS_AHEAD, days])
        return int(cursor.fetchone()[0])


def of_job(panda_id: int) -> list[dict[str, Any]]:
    """The samples of a job, oldest first: attempt_nr, at, cpu_consumption_time (s), rss_mb."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attempt_nr, at, cpu_consumption_time, rss_mb FROM jobs_sample"
            " WHERE job_id = %s ORDER BY at",
            [panda_id],
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def has_any(panda_id: int) -> bool:
    """Whether a job has samples."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM jobs_sample WHERE job_id = %s)", [panda_id])
        return bool(cursor.fetchone()[0])
