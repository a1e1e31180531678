"""Dropping ended jobs that are kept for longer than anybody wants: whole weeks of the archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.db import connection, transaction

from jobs import decisions
from pandasite.base import audit
from pandasite.base.rounds import Round

ACTOR = "manage.py retain"
DROPPED = "archive_dropped"  # in the audit log

# Partitions are named by the Monday that they begin with; reltuples is -1 where nobody has counted.
_WEEKS = """
SELECT right(c.relname, 8), greatest(c.reltuples, 0)::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'jobs_endedjob'::regclass ORDER BY 1
"""
# Nobody moves jobs while a week is counted and dropped; who reads, reads on until the drop.
_HOLD = "SET LOCAL statement_timeout = 0; LOCK TABLE ONLY jobs_endedjob IN EXCLUSIVE MODE"
# As the trigger of the job table counts a job that is deleted.
_UNCOUNT = """
INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
SELECT coalesce(cloud_id, 0), coalesce(computing_site_id, 0), prod_source_label, state,
  date_trunc('hour', end_time, 'UTC'),
  state = 'failed' AND (exe_error_code <> 0 OR trans_error_code <> 0), -count(*), NULL
FROM {job} GROUP BY 1, 2, 3, 4, 5, 6
RETURNING n
"""
# And as ends were summed up.
_UNSUM = """
INSERT INTO jobs_enddelta (hour, site_id, node, domain, label, processing_type, transformation,
  state, component, code, n, jobs, cpu_s, lost_s, busy_s)
SELECT hour, site_id, node, domain, label, processing_type, transformation, state, component, code,
  -sum(n), -sum(jobs), -sum(cpu_s), -sum(lost_s), -sum(busy_s)
FROM jobs_ends(%s, %s, true) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
_TABLES = ("jobs_endedjob", "jobs_endedjobfile", "jobs_endedjobevent", "jobs_endedjoboutput")


@dataclass(frozen=True, kw_only=True)
class Week:
    """A week of the archive, from its Monday on; `jobs` is an estimate until it is dropped."""

    monday: dt.date
    jobs: int

    @property
    def start(self) -> dt.datetime:
        """Its first moment."""
        return dt.datetime.combine(self.monday, dt.time(), tzinfo=dt.UTC)

    @property
    def end(self) -> dt.datetime:
        """When it was over."""
        return self.start + dt.timedelta(weeks=1)

    def table(self, parent: str) -> str:
        """The name of its partition."""
        return f"{parent}_{self.monday:%Y%m%d}"


def weeks_before(cutoff: dt.datetime) -> list[Week]:
    """Those that were over by then, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS)
        rows = cursor.fetchall()
    weeks = [Week(monday=dt.date.fromisoformat(day), jobs=n) for day, n in rows]
    return [week for week in weeks if week.end <= cutoff]


def drop(weeks: Sequence[Week], *, now: dt.datetime) -> list[Week]:
    """Drop these weeks, each in a transaction of its own; returns what is gone, jobs counted.

    Incomplete, behind the others, when a week could not be had in time.
    """
    work = Round()
    gone: list[Week] = []
    for week in weeks:
        work.do(f"week of {week.monday}", partial(_drop_into, gone, week, now))
    if gone:
        work.do("decisions", partial(_forget_decisions, gone[-1].end))
    work.end()
    return gone


def _drop_into(gone: list[Week], week: Week, now: dt.datetime) -> int:
    gone.append(_drop(week, now))
    return gone[-1].jobs


def _drop(week: Week, now: dt.datetime) -> Week:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_HOLD)
        cursor.execute(_UNCOUNT.format(job=week.table("jobs_endedjob")))
        dropped = Week(monday=week.monday, jobs=-sum(n for (n,) in cursor.fetchall()))
        cursor.execute(_UNSUM, [week.start, week.end])
        cursor.execute(f"DROP TABLE {', '.join(week.table(parent) for parent in _TABLES)}")
        cursor.execute("DELETE FROM jobs_weekstem WHERE week = %s", [week.start])
        audit.record(
            actor=ACTOR,
            action=DROPPED,
            subject=f"jobs that ended in the week of {week.monday}",
            reason="older than is to be kept",
            now=now,
            facts={"jobs": dropped.jobs},
        )
    return dropped


def _forget_decisions(before: dt.datetime) -> int:
    epoch = dt.datetime.fromtimestamp(0, dt.UTC)
    return decisions.forget(since=epoch, before=before, over=lambda: False)
