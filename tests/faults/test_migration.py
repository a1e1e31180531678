"""F29: the tables of the first release, with a million jobs, are migrated while pilots work."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg2
from django.conf import settings

from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import NAME, PORT, SUPERUSER, with_autocommit
from pandasite.embedded.valkey import broker_url
from tests.faults.books import Books
from tests.faults.site import FaultSite
from tests.faults.sizes import long

log = logging.getLogger(__name__)

ROWS = 1_000_000
RUNNING = 1000  # of them
RATE = 50.0  # statements of pilots a second
LOCK_SECONDS = 2.0  # the longest that one of them may wait
DATABASE = "pandasite_of_old"
FILL = """
INSERT INTO brokerage_vo (id, name, description) VALUES (1, 'atlas', '');
INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff,
  is_active, date_joined) VALUES (1, 'alice', '', false, '', '', '', false, true, now());
INSERT INTO brokerage_cloud (id, name, status, status_reason, status_by, weight, fasttrack,
  validation, releases_checked, reprocessing_at_tier1)
  VALUES (1, 'US', 'online', '', '', 2, false, false, true, true);
INSERT INTO brokerage_site (id, cloud_id, name, tier, type, status, status_reason, status_by,
  memory_mb, cpu_speed_mhz, slots, max_core_count, wall_seconds, scratch_mb, flavour)
  VALUES (1, 1, 'OLD', 2, 'both', 'online', '', '', 0, 0, 1, 1, 0, 0, 'local');
"""
JOBS = f"""
INSERT INTO jobs_job (panda_id, job_name, prod_source_label, processing_type, transformation,
  job_parameters, atlas_release, homepackage, cmt_config, vo_id, working_group, owner_id,
  prod_user_id, cloud_id, computing_site_id, site_fixed, cloud_fixed, prod_d_block,
  dispatch_d_block, destination_d_block, assigned_priority, current_priority, attempt_nr,
  max_attempt, rebroker_count, min_ram_count, max_disk_count, max_cpu_count, min_cpu_speed,
  core_count, state, event_seq, creation_time, state_change_time, queued_since,
  modification_time, start_time, end_time, node, lease_sha256, lease_until, report_seq, command,
  command_attempt, command_reason, verdict, cpu_consumption_time, max_rss_mb,
  brokerage_error_code, brokerage_error_diag, ddm_error_code, ddm_error_diag, exe_error_code,
  exe_error_diag, job_dispatcher_error_code, job_dispatcher_error_diag, pilot_error_code,
  pilot_error_diag, sup_error_code, sup_error_diag, task_buffer_error_code,
  task_buffer_error_diag, trans_error_code, trans_error_diag)
SELECT n, 'old' || n, 'managed', '', 'evgen.py', '', '', '', '', 1, '', 1, 'alice', 1, 1, true,
  false, '', '', '', 100, 100, 1, 3, 0, 0, 0, 0, 0, 1,
  CASE WHEN n <= {RUNNING} THEN 'running' ELSE 'finished' END, 1, now() - interval '2 d', now(),
  now() - interval '2 d', now(), now(), CASE WHEN n > {RUNNING} THEN now() END, 'wn',
  repeat('a', 64),
  CASE WHEN n <= {RUNNING} THEN now() + interval '1 d' END, 0, '', 0, '', '', 0, 0,
  0, '', 0, '', 0, '', 0, '', 0, '', 0, '', 0, '', 0, ''
FROM generate_series(%s, %s) n;
INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
SELECT panda_id, 1, 1, '', state, 'tests', now(), '{{}}' FROM jobs_job
WHERE panda_id BETWEEN %s AND %s
"""
# The longest of those that wait, and the statement that they wait for.
WAITING = """
SELECT extract(epoch FROM clock_timestamp() - query_start)::float,
  (SELECT left(query, 200) FROM pg_stat_activity b
    WHERE b.pid = ANY (pg_blocking_pids(a.pid)) LIMIT 1)
FROM pg_stat_activity a WHERE datname = %s AND application_name = 'pilots'
  AND wait_event_type = 'Lock' ORDER BY query_start LIMIT 1
"""
Wait = tuple[float, str]  # s, and the statement


@long
def test_a_migration_keeps_no_pilot_waiting(patient: Books) -> None:
    # given the tables of the first release, full
    site = patient.site
    with old_database(site):
        python(site, "-m", "tests.faults.first_release")
        fill(site)

        # when they are brought up to date while pilots send their heartbeats
        with pilots(site) as (waits, said, failed):
            begun = time.monotonic()
            manage(site, "migrate")
            log.info("migrated %d jobs in %.0f s", ROWS, time.monotonic() - begun)

        # then none of them waited for long, and nothing that was acknowledged is lost
        log.info(
            "%d heartbeats, the longest waits for a lock: %s", max(said.values()), longest(waits)
        )
        assert failed == []
        assert max(waits)[0] < LOCK_SECONDS, longest(waits)
        with client(site) as cursor:
            cursor.execute(
                "SELECT panda_id, report_seq FROM jobs_job WHERE panda_id = ANY(%s)", [list(said)]
            )
            assert dict(cursor.fetchall()) == said
        manage(site, "fsck")


@long
def test_a_lock_that_is_held_for_long_is_seen(patient: Books) -> None:
    """The control: what a migration would do that rewrites the table."""
    site = patient.site
    with old_database(site):
        python(site, "-m", "tests.faults.first_release")
        fill(site, rows=RUNNING)

        with pilots(site) as (waits, _said, _failed), client(site) as cursor:
            cursor.execute("BEGIN; LOCK TABLE jobs_job")
            time.sleep(LOCK_SECONDS + 1)
            cursor.execute("ROLLBACK")

    assert max(waits)[0] > LOCK_SECONDS


@contextmanager
def old_database(site: FaultSite) -> Iterator[None]:
    """A database of its own beside the site's."""
    as_superuser(site, f"CREATE DATABASE {DATABASE} OWNER {NAME}")
    try:
        yield
    finally:
        as_superuser(site, f"DROP DATABASE {DATABASE} WITH (FORCE)")


def as_superuser(site: FaultSite, statement: str) -> None:
    password = Keys.of(site.home.secrets).superuser_password
    connection = connect(site, user=SUPERUSER, password=password, dbname="postgres")
    with_autocommit(connection, lambda cursor: cursor.execute(statement))


def connect(site: FaultSite, **who: str) -> Any:
    return psycopg2.connect(host=str(site.servers.postgres.sockets), port=PORT, **who)


@contextmanager
def client(site: FaultSite, *, name: str = "tests") -> Iterator[Any]:
    """A cursor in the old database; each statement is a transaction."""
    password = Keys.of(site.home.secrets).database_password
    connection = connect(site, user=NAME, password=password, dbname=DATABASE, application_name=name)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def manage(site: FaultSite, *words: str) -> None:
    """A management command for that database."""
    python(site, "manage.py", *words)


def python(site: FaultSite, *words: str) -> None:
    """A program that finds that database as it does in production."""
    keys = Keys.of(site.home.secrets)
    sockets = quote(str(site.servers.postgres.sockets), safe="")
    production = {
        "DATABASE_URL": f"postgres://{NAME}:{keys.database_password}@{sockets}:{PORT}/{DATABASE}",
        "BROKER_URL": broker_url(site.home, keys),
        "SECRET_KEY": keys.secret_key,
        "ALLOWED_HOSTS": "localhost",
        "PANDASITE_STATEMENT_SECONDS": "0",
    }
    done = subprocess.run(
        [sys.executable, *words],
        env=site.environment() | production,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def fill(site: FaultSite, *, rows: int = ROWS) -> None:
    with client(site) as cursor:
        cursor.execute(FILL)
        for first in range(1, rows + 1, 50_000):
            last = min(first + 49_999, rows)
            cursor.execute(JOBS, [first, last, first, last])
        cursor.execute("ANALYZE jobs_job")


@contextmanager
def pilots(site: FaultSite) -> Iterator[tuple[list[Wait], dict[int, int], list[str]]]:
    """Heartbeats all the time, and a look at how long they wait for locks.

    (waits as they were seen, last acknowledged report of each job, what failed)
    """
    waits: list[Wait] = [(0.0, "")]
    said, failed, over = dict[int, int](), list[str](), threading.Event()
    threads = [
        threading.Thread(target=beat, args=(site, said, failed, over), daemon=True),
        threading.Thread(target=look, args=(site, waits, over), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield waits, said, failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


def beat(site: FaultSite, said: dict[int, int], failed: list[str], over: threading.Event) -> None:
    """What a heartbeat was in the first release."""
    with client(site, name="pilots") as cursor:
        nr = 0
        while not over.wait(1 / RATE):
            job, nr = 1 + nr % RUNNING, nr + 1
            try:
                cursor.execute(
                    "UPDATE jobs_job SET report_seq = %s, modification_time = now(),"
                    " lease_until = now() + interval '1 d' WHERE panda_id = %s",
                    [nr, job],
                )
                said[job] = nr
            except psycopg2.Error as error:
                failed.append(str(error))


def look(site: FaultSite, waits: list[Wait], over: threading.Event) -> None:
    with client(site) as cursor:
        while not over.wait(0.05):
            cursor.execute(WAITING, [DATABASE])
            waits += [(seconds, statement or "") for seconds, statement in cursor.fetchall()]


def longest(waits: list[Wait]) -> list[Wait]:
    """The longest wait for each of the three statements that kept others waiting the most."""
    by_statement = {statement: seconds for seconds, statement in sorted(waits)}
    return sorted(((s, statement) for statement, s in by_statement.items()), reverse=True)[:3]
