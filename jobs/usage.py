"""Adding up what ended jobs have used: a sweep reads each hour of ends once, and keeps the sums.

Nothing is written where a job ends, which is where thousands of pilots meet. An hour is added up
anew until it is GRACE past, since an end is seen on its commit; then it is settled. The hours
before the first round are added up backwards until there is no older job. Days gone by are merged
into one row of 24 hours, so that a month of a large experiment stays some 100,000 rows.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.conf import settings
from django.db import connection, transaction

from jobs.models import TaskUsage, Usage, UsageBook
from jobs.states import FINAL, JobState
from pandasite.base.clock import full_hour, midnight
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Round

HOUR = dt.timedelta(hours=1)
GRACE = dt.timedelta(minutes=10)  # after its end an hour is settled
HOURS_KEPT = 48  # apart; a day is merged when all of it is older
LONG_AGO = dt.datetime.fromtimestamp(0, dt.UTC)  # the hour of a task's merged hours

# Ends of one hour, with what belongs to them. A job lies on one side, and so does what it has.
_ENDED = """
SELECT j.task_id, coalesce(j.computing_site_id, 0) AS site_id, j.prod_user_id AS "user",
  j.working_group, j.prod_source_label AS label, j.end_time,
  (j.state = 'finished')::int AS finished, (j.state = 'failed')::int AS failed,
  (j.state = 'cancelled')::int AS cancelled, j.cpu_consumption_time AS cpu_s,
  greatest(0, coalesce(round(extract(epoch FROM coalesce((
    SELECT e.at FROM jobs_anyjobevent e
    WHERE e.job_id = j.panda_id AND e.shelf = j.shelf AND e.from_state = 'running'
    ORDER BY e.seq DESC LIMIT 1
  ), j.end_time) - j.start_time)), 0))::bigint AS wall_s,
  CASE WHEN j.task_id IS NULL THEN 0 ELSE (
    SELECT count(*) FROM jobs_anyjobfile f
    WHERE f.job_id = j.panda_id AND f.shelf = j.shelf AND f.type = 'input'
  ) END AS inputs,
  j.state <> 'finished' AND j.task_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM jobs_anyjob s WHERE s.retry_of = j.panda_id
  ) AS lost
FROM jobs_anyjob j
WHERE j.state = ANY(%(final)s) AND j.end_time >= %(hour)s
  AND j.end_time < %(hour)s + interval '1 hour'
"""
_SUMS = """sum(finished), sum(failed), sum(cancelled), sum(wall_s), sum(cpu_s), max(end_time)"""
_USED = "finished, failed, cancelled, wall_s, cpu_s, latest"
_ADD_UP = f"""
WITH ended AS MATERIALIZED ({_ENDED}), by_task AS (
  INSERT INTO jobs_taskusage (since, task_id, site_id, lost, inputs_done, inputs_lost, {_USED})
  SELECT %(hour)s, task_id, site_id, sum(lost::int), sum(inputs * finished),
    sum(inputs * lost::int), {_SUMS}
  FROM ended WHERE task_id IS NOT NULL GROUP BY task_id, site_id
), by_user AS (
  INSERT INTO jobs_usage (since, hours, "user", working_group, site_id, label, {_USED})
  SELECT %(hour)s, 1, "user", working_group, site_id, label, {_SUMS}
  FROM ended GROUP BY "user", working_group, site_id, label
)
SELECT count(*) FROM ended
"""
_ADDED = ", ".join(
    f"{name} = {{table}}.{name} + excluded.{name}"
    for name in ("finished", "failed", "cancelled", "wall_s", "cpu_s")
)
_LATER = "latest = greatest({table}.latest, excluded.latest)"
_MERGED = "sum(finished), sum(failed), sum(cancelled), sum(wall_s), sum(cpu_s), max(latest)"
_MERGE_DAYS = f"""
WITH old AS (DELETE FROM jobs_usage WHERE hours = 1 AND since < %(before)s RETURNING *), summed AS (
  INSERT INTO jobs_usage (since, hours, "user", working_group, site_id, label, {_USED})
  SELECT date_trunc('day', since, 'UTC'), 24, "user", working_group, site_id, label, {_MERGED}
  FROM old GROUP BY 1, "user", working_group, site_id, label
  ON CONFLICT (since, hours, "user", working_group, site_id, label) DO UPDATE
    SET {_ADDED}, {_LATER}
)
SELECT count(*) FROM old
""".format(table="jobs_usage")
_MERGE_TASKS = f"""
WITH old AS (
  DELETE FROM jobs_taskusage WHERE since > 'epoch' AND since < %(before)s RETURNING *
), summed AS (
  INSERT INTO jobs_taskusage (since, task_id, site_id, lost, inputs_done, inputs_lost, {_USED})
  SELECT 'epoch', task_id, site_id, sum(lost), sum(inputs_done), sum(inputs_lost), {_MERGED}
  FROM old GROUP BY task_id, site_id
  ON CONFLICT (task_id, site_id, since) DO UPDATE SET {_ADDED}, {_LATER},
    lost = jobs_taskusage.lost + excluded.lost,
    inputs_done = jobs_taskusage.inputs_done + excluded.inputs_done,
    inputs_lost = jobs_taskusage.inputs_lost + excluded.inputs_lost
)
SELECT count(*) FROM old
""".format(table="jobs_taskusage")
# The last end before a moment: by the index of each final state, and by that of the archive.
_EARLIER = """
SELECT max(end_time) FROM (
  (SELECT end_time FROM jobs_endedjob WHERE end_time < %(before)s
   ORDER BY end_time DESC NULLS LAST LIMIT 1)
  UNION ALL
  SELECT (SELECT end_time FROM jobs_job WHERE state = s AND state = ANY(%(final)s)
    AND end_time < %(before)s ORDER BY end_time DESC LIMIT 1)
  FROM unnest(%(final)s) AS s
) ends
"""


def run(now: dt.datetime) -> int:
    """One round; returns how many ends it has added up, and rows merged or forgotten."""
    work = Round()
    _make_book(now)
    while not work.over and _is_behind(now):
        if not work.do("the next hour", partial(_settle, now)):
            break
    work.do("the hours that are not settled", partial(_add_up_open, now))
    while not work.over and (hour := _hour_before()):
        if not work.do(f"the hour of {hour:%Y-%m-%d %H:%M}", partial(_go_back, hour)):
            break
    work.do("days gone by", partial(_merge, now))
    work.do("what is too old", partial(_forget, now))
    if work.over:  # it gets on: the next round need not wait for the timetable
        nudge("jobs.sum_usage")
    return work.end()


def _settled(now: dt.datetime) -> dt.datetime:
    """The hours before this one are over for long enough."""
    return full_hour(now - GRACE)


def _make_book(now: dt.datetime) -> None:
    """A new book begins with the hours that are not settled yet."""
    first = _settled(now)
    UsageBook.objects.get_or_create(pk=1, defaults={"since": first, "until": first})


def _is_behind(now: dt.datetime) -> bool:
    return UsageBook.objects.filter(until__lt=_settled(now)).exists()


def _settle(now: dt.datetime) -> int:
    """Add up the first hour that is not in the book for good: now it is."""
    with transaction.atomic():
        book = UsageBook.objects.select_for_update().get()
        if book.until >= _settled(now):
            return 0  # another round was faster
        rows = _add_up(book.until)
        book.until += HOUR
        book.save(update_fields=["until"])
    return rows


def _add_up_open(now: dt.datetime) -> int:
    """Add up the one or two hours in which jobs may still end."""
    with transaction.atomic():
        hour, rows = UsageBook.objects.select_for_update().get().until, 0
        while hour <= now and hour >= _settled(now):
            rows += _add_up(hour)
            hour += HOUR
    return rows


def _go_back(hour: dt.datetime) -> int:
    """Add up an hour before all that is in the book."""
    with transaction.atomic():
        book = UsageBook.objects.select_for_update().get()
        if hour >= book.since:
            return 0  # another round was faster
        rows = _add_up(hour)
        book.since = hour
        book.save(update_fields=["since"])
    return rows


def _hour_before() -> dt.datetime | None:
    """The last hour before the book's first in which a job ended."""
    book = UsageBook.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, {"before": book.since, "final": _FINAL})
        (end,) = cursor.fetchone()
    return full_hour(end) if end else None


def _add_up(hour: dt.datetime) -> int:
    Usage.objects.filter(since=hour, hours=1).delete()
    TaskUsage.objects.filter(since=hour).delete()
    with connection.cursor() as cursor:
        cursor.execute(_ADD_UP, {"hour": hour, "final": _FINAL})
        return int(cursor.fetchone()[0])


def _merge(now: dt.datetime) -> int:
    """Merge settled hours of days that lie more than HOURS_KEPT back."""
    with transaction.atomic():
        book = UsageBook.objects.select_for_update().get()
        kept = now - dt.timedelta(hours=HOURS_KEPT)
        before = midnight(min(book.until, kept))
        with connection.cursor() as cursor:
            cursor.execute(_MERGE_DAYS, {"before": before})
            rows = int(cursor.fetchone()[0])
            cursor.execute(_MERGE_TASKS, {"before": before})
            return rows + int(cursor.fetchone()[0])


def _forget(now: dt.datetime) -> int:
    kept = now - dt.timedelta(days=settings.PANDASITE["USAGE_DAYS"])
    day = midnight(kept)
    UsageBook.objects.filter(kept_from__isnull=True).update(kept_from=day)
    UsageBook.objects.filter(kept_from__lt=day).update(kept_from=day)
    return Usage.objects.filter(hours=24, since__lt=day).delete()[0]


_FINAL = [state.value for state in JobState if state in FINAL]

# What was dropped from the archive, or forgotten here, cannot be held against the jobs.
_TRUE_DAYS = """
WITH book AS (SELECT since, until, kept_from FROM jobs_usagebook), first AS (
  SELECT greatest(date_trunc('day', min(j.end_time), 'UTC'), (SELECT kept_from FROM book)) AS start
  FROM jobs_anyjob j WHERE j.end_time IS NOT NULL
), kept AS (
  SELECT date_trunc('day', u.since, 'UTC') AS day, sum(finished + failed + cancelled) AS n,
    sum(cpu_s) AS cpu FROM jobs_usage u, book WHERE u.since < book.until GROUP BY 1
), found AS (
  SELECT date_trunc('day', j.end_time, 'UTC') AS day, count(*) AS n,
    sum(cpu_consumption_time) AS cpu
  FROM jobs_anyjob j, book WHERE j.end_time >= book.since AND j.end_time < book.until GROUP BY 1
)
SELECT format('usage of %%s: %%s jobs with %%s s of CPU time are booked, found %%s with %%s s',
  to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD'), coalesce(k.n, 0), coalesce(k.cpu, 0),
  coalesce(f.n, 0), coalesce(f.cpu, 0))
FROM kept k FULL JOIN found f USING (day), first
WHERE (k.n, k.cpu) IS DISTINCT FROM (f.n, f.cpu) AND (day >= first.start OR first.start IS NULL)
ORDER BY day LIMIT %s
"""
_TRUE_TASKS = """
WITH book AS (SELECT since, until FROM jobs_usagebook), first AS (
  SELECT date_trunc('day', min(end_time), 'UTC') AS start FROM jobs_anyjob
  WHERE end_time IS NOT NULL
), kept AS (
  SELECT u.task_id, sum(finished + failed + cancelled) AS n FROM jobs_taskusage u, book
  WHERE u.since < book.until GROUP BY 1
), found AS (
  SELECT j.task_id, count(*) AS n FROM jobs_anyjob j, book
  WHERE j.task_id IS NOT NULL AND j.end_time >= book.since AND j.end_time < book.until GROUP BY 1
)
SELECT format('task %%s: %%s ended jobs are booked, found %%s', task_id, coalesce(k.n, 0),
  coalesce(f.n, 0))
FROM kept k FULL JOIN found f USING (task_id) JOIN jobs_task t USING (task_id), first
WHERE k.n IS DISTINCT FROM f.n AND t.created_at >= first.start ORDER BY task_id LIMIT %s
"""


def differences(limit: int = 100) -> list[str]:
    """Where settled sums differ from the jobs that are still there, in words."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for sql in (_TRUE_DAYS, _TRUE_TASKS):
            cursor.execute(sql, [limit])
            found += [row[0] for row in cursor.fetchall()]
    return found
