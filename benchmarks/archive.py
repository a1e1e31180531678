"""A monitor's worth of history: live jobs of every kind, millions that have ended, datasets, files.

The archive is filled a week at a time: tables without indexes, which get them all when they are
attached. That is many times faster than through the indexes, and gives the same partitions.
"""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User
from django.db import connection

from benchmarks import fill
from benchmarks.fill import AT_A_SITE, SCOPE
from benchmarks.grid import Grid
from datasets.models import Dataset, DatasetFile, File
from jobs import counts, tally, usage
from jobs.models import Job, JobEvent, JobFile, Task, UsageBook
from jobs.usage import LONG_AGO
from pandasite.base.clock import full_hour

WEEK = dt.timedelta(weeks=1)
TABLES = ("jobs_endedjob", "jobs_endedjobfile", "jobs_endedjobevent", "jobs_endedjoboutput")
TASKS = 2000
USERS = 50
FIRST_TASK = 20_000_000
FIRST_ENDED = 100_000_000  # PandaID of the first job of the archive
FIRST_ROW = 10**10  # of files and events of the archive
# Parts of the live jobs, in the order of their PandaIDs; half of the last ones have failed.
LIVE = {"activated": 0.45, "running": 0.25, "defined": 0.08, "transferring": 0.02}
ENDED_OF_LATE = 0.1
DAY = 23 * 3600

# As the trigger of the job table would have counted them.
_COUNT = """
INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
SELECT coalesce(cloud_id, 0), coalesce(computing_site_id, 0), prod_source_label, state,
  date_trunc('hour', end_time, 'UTC'),
  state = 'failed' AND (exe_error_code <> 0 OR trans_error_code <> 0), count(*),
  max(state_change_time)
FROM {table} GROUP BY 1, 2, 3, 4, 5, 6
"""

# What has ended by user and by task, as the sweep would have it after days (jobs/usage.py).
_WHAT = """count(*) FILTER (WHERE state = 'finished'), count(*) FILTER (WHERE state = 'failed'),
  count(*) FILTER (WHERE state = 'cancelled'),
  sum(extract(epoch FROM end_time - start_time))::bigint, sum(cpu_consumption_time), max(end_time)
"""
_USED = f"""
INSERT INTO jobs_usage (since, hours, "user", working_group, site_id, label, finished, failed,
  cancelled, wall_s, cpu_s, latest)
SELECT date_trunc('day', end_time, 'UTC'), 24, prod_user_id, working_group, computing_site_id,
  prod_source_label, {_WHAT}
FROM {{table}} GROUP BY 1, 3, 4, 5, 6
"""
_USED_BY_TASKS = f"""
INSERT INTO jobs_taskusage AS u (since, task_id, site_id, finished, failed, cancelled, wall_s,
  cpu_s, latest, lost, inputs_done, inputs_lost)
SELECT 'epoch', task_id, computing_site_id, {_WHAT}, 0, 0, 0
FROM {{table}} GROUP BY 2, 3
ON CONFLICT (task_id, site_id, since) DO UPDATE SET finished = u.finished + excluded.finished,
  failed = u.failed + excluded.failed, cancelled = u.cancelled + excluded.cancelled,
  wall_s = u.wall_s + excluded.wall_s, cpu_s = u.cpu_s + excluded.cpu_s,
  latest = greatest(u.latest, excluded.latest)
"""
USED_WEEKS = 5  # that pages of usage look at

# A task is at ten sites, of one user, and all of its jobs are alike.
TASK = f"(k % 20 + 20 * (k / 200 % {TASKS // 20}))"
NAMES = {
    "job_name": f"'mc09.' || 105000 + {TASK} || '.evgen._' || k",
    "task_id": f"{FIRST_TASK} + {TASK}",
    "prod_user_id": f"'user' || {TASK} % {USERS}",
    "prod_source_label": f"CASE WHEN {TASK} % 7 = 0 THEN 'user' ELSE 'managed' END",
    "transformation": f"'trf' || {TASK} / 20 % 20 || '.py'",
    "processing_type": f"CASE WHEN {TASK} % 3 = 0 THEN 'evgen' ELSE 'simul' END",
}
# `end` is the SQL of the time of the end, `failed` of whether it failed.
ENDS = {
    "state": "CASE WHEN {failed} THEN 'failed' WHEN k % 20 = 3 THEN 'cancelled'"
    " ELSE 'finished' END",
    "pilot_error_code": "CASE WHEN {failed} AND k % 3 > 0 THEN 1099 + k % 3 * (k % 60) ELSE 0 END",
    "pilot_error_diag": "CASE WHEN {failed} THEN 'Get error: file ' || k || ' is lost' ELSE '' END",
    "exe_error_code": "CASE WHEN {failed} AND k % 3 = 0 THEN 60000 + k % 30 ELSE 0 END",
    "cpu_consumption_time": "2000 + k % 9000",
    "attempt_nr": "1",
    "node": "'wn' || k / 8 % 5000 || '.site' || k % {n_sites} || '.example.org'",
    "creation_time": "{end} - interval '1 h' * (2 + k % 12)",
    "queued_since": "{end} - interval '1 h' * (2 + k % 12)",
    "start_time": "{end} - interval '1 h' * (1 + k % 6)",
    "end_time": "{end}",
    "state_change_time": "{end}",
    "modification_time": "{end}",
}


def add_live(n: int, grid: Grid) -> None:
    """`n` jobs in the live tables, a fifth of them ended within the last day."""
    _add_people_and_tasks()
    first = fill.FIRST
    for state, part in LIVE.items():
        some = round(part * n)
        if state == "running":
            fill.add_running(some, grid, first=first)
        else:
            at = {} if state == "defined" else AT_A_SITE
            fill.add_jobs(state, some, grid, first=first, columns=at | NAMES)
        first += some
    for state in ("finished", "failed"):
        some = round(ENDED_OF_LATE * n)
        end = f"now() - interval '1 s' * ({DAY}::float8 * k / {some})"
        columns = AT_A_SITE | NAMES | _ends(grid, end=end, failed=str(state == "failed"))
        columns["state"] = f"'{state}'"
        fill.add_jobs(state, some, grid, first=first, columns=columns)
        first += some
    counts.fold()


def add_ended(a_week: int, grid: Grid, *, weeks: range) -> None:
    """So many jobs in each of these weeks, which are counted back from the current one (0)."""
    for back in weeks:
        _add_week(back, a_week, grid)
    counts.fold()


def add_up(now: dt.datetime) -> None:
    """What was used of late, by the statement of the sweep, and what is under way."""
    first = full_hour(now) - dt.timedelta(seconds=DAY) - usage.HOUR
    hours = range(round((now - first) / usage.HOUR) + 1)
    for nr in hours:
        usage._add_up(first + nr * usage.HOUR)
    book = {"since": LONG_AGO, "until": first + hours[-1] * usage.HOUR}
    UsageBook.objects.update_or_create(pk=1, defaults=book)
    tally.run(now)


def add_datasets(n: int) -> None:
    """Datasets with a file of the catalogue each."""
    given = {"name": "'mc09.' || k || '.evgen.EVNT'", "created_at": "now()"}
    fill.insert(Dataset, given | {"state_changed_at": "now()"}, n)
    file = {
        "scope": f"'{SCOPE}'",
        "lfn": "'mc09.' || k || '.evgen.EVNT._00001.root'",
        "guid": "gen_random_uuid()::text",
        "size": "1000000",
        "adler32": "'0c2a04f1'",
        "created_at": "now()",
    }
    fill.insert(File, file, n)
    lowest = {name: fill.lowest(model) for name, model in (("dataset", Dataset), ("file", File))}
    fill.insert(DatasetFile, {f"{name}_id": f"{low} + k" for name, low in lowest.items()}, n)


def _add_people_and_tasks() -> None:
    User.objects.bulk_create(User(username=f"user{nr}") for nr in range(USERS))
    owner = "(SELECT id FROM auth_user WHERE username = 'bench-manager')"
    given = {"task_id": f"{FIRST_TASK} + k", "name": "'mc09.' || 105000 + k || '.evgen'"}
    fill.insert(Task, given | {"owner_id": owner, "created_at": "now()"}, TASKS)


def _ends(grid: Grid, *, end: str, failed: str) -> dict[str, str]:
    values = {"end": end, "failed": failed, "n_sites": len(grid.sites)}
    return {name: text.format(**values) for name, text in ENDS.items()}


def _add_week(back: int, jobs: int, grid: Grid) -> None:
    """The jobs from number `back` x `jobs` on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('week', now(), 'UTC') - %s * interval '168 h'", [back])
        monday: dt.datetime = cursor.fetchone()[0]
    low, high = back * jobs, (back + 1) * jobs
    start = f"timestamptz '{monday:%Y-%m-%d} 00:00+00'"
    end = f"({start} + interval '1 s' * (604799::float8 * (k - {low}) / {jobs}))"
    suffix = f"{monday:%Y%m%d}"
    for table in TABLES:
        _run(f"CREATE TABLE {table}_{suffix} (LIKE {table} INCLUDING CONSTRAINTS)")
    columns = AT_A_SITE | NAMES | _ends(grid, end=end, failed="k % 20 < 3")
    job = fill.job_columns("ended", grid, first=FIRST_ENDED, columns=columns)
    fill.insert(Job, job, high, low=low, table=f"jobs_endedjob_{suffix}")
    _fill_around(suffix, low, high, columns, end=end)
    for table in TABLES:
        _run(
            f"ALTER TABLE {table} ATTACH PARTITION {table}_{suffix} FOR VALUES"
            f" FROM ('{monday:%Y-%m-%d} 00:00+00') TO ('{monday + WEEK:%Y-%m-%d} 00:00+00')"
        )
    _run(f"SELECT jobs_note_stems({start})")
    sums = [_COUNT, _USED_BY_TASKS, *([_USED] if back <= USED_WEEKS else [])]
    for statement in sums:
        _run(statement.format(table=f"jobs_endedjob_{suffix}"))


def _fill_around(suffix: str, low: int, high: int, job: dict[str, str], *, end: str) -> None:
    """A file that each job made, and its first and last event."""
    belongs = {"job_id": f"k + {FIRST_ENDED}", "job_end": end}
    file = {
        "id": f"k + {FIRST_ROW}",
        "type": "'output'",
        "scope": f"'{SCOPE}'",
        "lfn": f"'mc09.' || 105000 + {TASK} || '.HITS._' || k || '.root'",
        "status": "'ready'",
    }
    fill.insert(JobFile, belongs | file, high, low=low, table=f"jobs_endedjobfile_{suffix}")
    said = {"actor": "'benchmarks'", "reason": "'{}'", "attempt_nr": "1"}
    born = {"seq": "1", "to_state": "'activated'", "at": job["creation_time"]}
    gone = {"seq": "2", "from_state": "'activated'", "to_state": job["state"], "at": end}
    for nr, event in enumerate((born, gone)):
        key = {"id": f"2 * k + {FIRST_ROW + nr}"}
        given = belongs | said | event | key
        fill.insert(JobEvent, given, high, low=low, table=f"jobs_endedjobevent_{suffix}")


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
