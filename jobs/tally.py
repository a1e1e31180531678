"""Live jobs by user, group and task, and pilots by factory: counted anew now and then.

No page can afford to look through a million live jobs, and no claim to keep counters by user; so a
sweep counts, and pages print when it did.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction

from jobs.nodes import LATELY
from jobs.states import FINAL, JobState

DAY = dt.timedelta(hours=24)
SECONDS = 50  # for one of both: a million live jobs with their files, on a machine that is busy

_LIVE = """
INSERT INTO jobs_livetally
  ("user", working_group, task_id, cloud_id, site_id, label, processing_type, state, n,
   inputs, latest)
SELECT j.prod_user_id, j.working_group, coalesce(j.task_id, 0), coalesce(j.cloud_id, 0),
  coalesce(j.computing_site_id, 0), j.prod_source_label, j.processing_type, j.state, count(*),
  sum(CASE WHEN j.task_id IS NULL THEN 0 ELSE coalesce(f.n, 0) END), max(j.state_change_time)
FROM jobs_job j LEFT JOIN (
  SELECT job_id, count(*) AS n FROM jobs_jobfile WHERE type = 'input' GROUP BY job_id
) f ON f.job_id = j.panda_id
WHERE NOT j.state = ANY(%s) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_FACTORIES = """
INSERT INTO jobs_factorytally (factory, site_id, pilots, lately, idle, calls, jobs, latest)
SELECT factory, site_id, count(*), count(*) FILTER (WHERE last_contact >= %s),
  count(*) FILTER (WHERE jobs = 0), sum(claims), sum(jobs), max(last_contact)
FROM jobs_pilot WHERE last_contact >= %s GROUP BY 1, 2
"""


def run(now: dt.datetime) -> int:
    """Count both anew; returns the number of rows. Who reads meanwhile reads the old ones."""
    final = [state.value for state in JobState if state in FINAL]
    rows = 0
    for table, sql, values in (
        ("jobs_livetally", _LIVE, [final]),
        ("jobs_factorytally", _FACTORIES, [now - LATELY, now - DAY]),
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [f"{SECONDS}s"])
            # two rounds at once wait for each other; readers do not
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(sql, values)
            rows += cursor.rowcount
    return rows
