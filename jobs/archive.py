"""The archive: jobs that ended a while ago leave the live tables, with all that belongs to them.

What claims, sweeps and reports look through stays small by that, however many jobs there have
been. Pages and lists ask `AnyJob`, which has both sides. The move itself is SQL: sql/ended.sql.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.conf import settings
from django.db import connection

from jobs.states import FINAL, JobState
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Round

BATCH = 1000  # jobs that move in one transaction
WEEKS_AHEAD = 2
_WEEKS = """
SELECT jobs_ended_week(week) FROM (
  SELECT DISTINCT date_trunc('week', end_time, 'UTC') AS week FROM (
    SELECT end_time FROM jobs_job WHERE state = %s AND end_time < %s ORDER BY end_time LIMIT %s
  ) due
) weeks
"""


def run(now: dt.datetime) -> int:
    """Move the jobs that have been final for ARCHIVE_HOURS; returns how many."""
    before = now - dt.timedelta(hours=settings.PANDASITE["ARCHIVE_HOURS"])
    work = Round()
    for state in FINAL:
        moved = -1
        while work.rows > moved and not work.over:
            moved = max(work.rows, 0)
            work.do(f"{state} jobs", partial(move, state, before=before))
    if work.over and work.rows:  # it gets on: the next round need not wait for the timetable
        nudge("jobs.archive")
    return work.end()


def move(state: JobState, *, before: dt.datetime, most: int = BATCH) -> int:
    """Move those that ended in this state before then, the longest ended first; how many."""
    with connection.cursor() as cursor:
        # In a transaction of its own: who reads both sides while a week is attached may not see
        # that week yet, and must find the jobs where they were.
        cursor.execute(_WEEKS, [state, before, most])
        cursor.execute("SELECT jobs_archive(%s, %s, %s)", [state, before, most])
        return int(cursor.fetchone()[0])


def make_weeks(now: dt.datetime) -> int:
    """Make the partitions of this week and the next ones, so that no move has to; always 0."""
    with connection.cursor() as cursor:
        for weeks in range(WEEKS_AHEAD + 1):
            cursor.execute("SELECT jobs_ended_week(%s)", [now + dt.timedelta(weeks=weeks)])
    return 0
