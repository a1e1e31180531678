"""One cycle of Bamboo with much to take and much to write back, while pilots ask for jobs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connections

from benchmarks import fill
from benchmarks.bed import Bed, Data, number, query
from benchmarks.calls import Calls
from benchmarks.figures import kit
from benchmarks.grid import CMT_CONFIG, RELEASES, Grid
from benchmarks.load import Pool, Request
from benchmarks.meter import Usage, peak_mb
from benchmarks.result import Bound, Figure
from benchmarks.stats import Tally
from jobs.proddb import door

CHANGES = 100_000  # jobs of which prodDB knows nothing yet
NEW = 10_000  # job definitions to be submitted
TASKS = 100  # of each
LOOK_SECONDS = 0.05  # between two looks at how much memory a cycle has
A_SECOND = 20.0  # claims: what 1.7 million jobs a day make
SECONDS, MEGABYTES = 60.0, 300.0

# Notes of jobs as if they had been submitted and never confirmed.
_NOTES = (
    """
INSERT INTO jobs_task (name, owner_id, vo_id, working_group, processing_type, created_at)
SELECT 'bench.old.' || k, (SELECT min(id) FROM auth_user), (SELECT min(id) FROM brokerage_vo),
  '', 'simul', now() FROM generate_series(1, %(tasks)s) k
""",
    """
INSERT INTO jobs_bambootask (request_id, task_id, kind, name, processing_type, priority,
  wanted_cloud, validation, input_dataset, cloud_id, state, reason, abort, to_submit, jobs_total,
  jobs_finished, jobs_failed, files_done, seq, written_seq, stale, taken_at)
SELECT row_number() OVER (ORDER BY task_id), task_id, 'defined', name, 'simul', 500, '', false, '',
  (SELECT min(id) FROM brokerage_cloud), 'SUBMITTED', '', false, 0, 0, 0, 0, 0, 1, 1, false, now()
FROM jobs_task WHERE name LIKE 'bench.old.%%'
""",
    """
INSERT INTO jobs_bamboojob (definition_id, request_id, panda_id, state, seq, settled)
SELECT row_number() OVER (ORDER BY panda_id), 1 + panda_id %% %(tasks)s, panda_id, 'defined', 0,
  false FROM jobs_job
""",
)
_PRODDB = (
    "TRUNCATE proddb_taskrequest, proddb_jobdefinition, proddb_statechange RESTART IDENTITY",
    """
INSERT INTO proddb_taskrequest (name, owner, vo, working_group, processing_type, campaign, priority,
  cloud, input_dataset, validation, created_at, state, reason, given_cloud, jobs_total,
  jobs_finished, jobs_failed, files_done)
SELECT 'bench.' || CASE WHEN k <= %(tasks)s THEN 'old.' ELSE 'new.' END || k, 'bench-manager',
  'atlas', '', 'simul', 'bench', 500, '', '', false, now(),
  CASE WHEN k <= %(tasks)s THEN 'SUBMITTED' ELSE 'TOBEDONE' END, '', '', 0, 0, 0, 0
FROM generate_series(1, 2 * %(tasks)s) k
""",
    """
INSERT INTO proddb_jobdefinition (request_id, name, transformation, parameters, details, state,
  reason, panda_state)
SELECT CASE WHEN k <= %(old)s THEN 1 ELSE %(tasks)s + 1 END + k %% %(tasks)s, 'bench.' || k,
  'simul.py', repeat('--parameter=value ', 12), jsonb_build_object(
    'atlas_release', %(release)s::text, 'cmt_config', %(cmt)s::text, 'min_ram_count', 1000,
    'output_files', jsonb_build_array(jsonb_build_object('lfn', 'bench.HITS.' || k, 'scope', 'mc',
      'dataset', 'bench.HITS.' || k %% %(tasks)s))),
  CASE WHEN k <= %(old)s THEN 'SUBMITTED' ELSE 'TOBEDONE' END, '', ''
FROM generate_series(1, %(old)s + %(new)s) k
""",
    "ANALYZE proddb_taskrequest, proddb_jobdefinition",
)
_WRITTEN = """
SELECT count(*) FROM jobs_bamboojob n JOIN jobs_job j USING (panda_id) WHERE n.seq = j.event_seq
"""


@dataclass(frozen=True)
class Cycle:
    """How a cycle went: wall time and CPU (s), its largest memory (MB), what it printed."""

    seconds: float
    cpu: float
    memory_mb: float
    said: str
    ok: bool


def run(bed: Bed) -> Iterator[Figure]:
    """bamboo, bamboo_p99: the cycle's time, and what it does to the answers to claims."""
    old, new = bed.scaled(CHANGES, least=1000), bed.scaled(NEW, least=100)
    grid = bed.restore(Data("bamboo", kit.SITES, lambda grid: fill.add_activated(old, grid)))
    _fill(old, new)
    bed.start_site()
    before = number("SELECT count(*) FROM jobs_job")
    alone, _none = asyncio.run(_claims(bed, grid, None))
    meter = bed.meter()
    meanwhile, cycle = asyncio.run(_claims(bed, grid, bed.stack.child_environment()))
    usage = meter.read()
    assert cycle is not None
    jobs, written = number("SELECT count(*) FROM jobs_job") - before, number(_WRITTEN)
    claimed = len(alone) + len(meanwhile)  # some of these moved on behind the cycle
    conditions = {
        "it went through": cycle.ok,
        "each new job once": jobs == new,
        "every state written": written >= old + new - claimed,
        f"memory of at most {MEGABYTES:g} MB": cycle.memory_mb <= MEGABYTES,
        "every claim answered": not meanwhile.errors,
    }
    bed.end_site()
    yield _time_figure(cycle, conditions, usage, jobs=jobs, written=written)
    yield _p99_figure(alone, meanwhile)


def _time_figure(
    cycle: Cycle, conditions: dict[str, bool], usage: Usage, *, jobs: int, written: int
) -> Figure:
    return Figure(
        figure="bamboo",
        value=cycle.seconds,
        unit="s",
        must=Bound(limit=SECONDS, at_most=True, unit="s"),
        conditions=conditions,
        details={
            "new_jobs": jobs,
            "states_written": written,
            "memory_mb": cycle.memory_mb,
            "cpu_seconds": cycle.cpu,
            "cpu_us_of_servers": usage.per(1),
            "foreign_cores": usage.foreign,
            "said": cycle.said.splitlines(),
        },
    )


def _p99_figure(alone: Tally, meanwhile: Tally) -> Figure:
    before, now = alone.as_json(), meanwhile.as_json()
    return Figure(
        figure="bamboo_p99",
        value=now["p99_ms"],
        unit="ms",
        baseline=before["p99_ms"],
        must=Bound(limit=2, at_most=True, of_ratio=True),
        details={"claims_a_second": A_SECOND, "alone": before, "meanwhile": now},
    )


def _fill(old: int, new: int) -> None:
    """Notes of the old jobs here, requests and definitions there."""
    values: dict[str, Any] = {
        "tasks": TASKS,
        "old": old,
        "new": new,
        "release": RELEASES[0],
        "cmt": CMT_CONFIG,
    }
    with connections["default"].cursor() as cursor:
        for statement in _NOTES:
            cursor.execute(statement, values)
        cursor.execute("ANALYZE jobs_bamboojob, jobs_bambootask")
    with connections[door.ALIAS].cursor() as cursor:
        for statement in _PRODDB:
            cursor.execute(statement, values)
    assert query("SELECT count(*) FROM jobs_bamboojob") == [(old,)]
    connections.close_all()


async def _claims(
    bed: Bed, grid: Grid, environment: dict[str, str] | None
) -> tuple[Tally, Cycle | None]:
    """Claims at a steady rate: for a window, or as long as a cycle takes."""
    tally, over = Tally(), asyncio.Event()
    requests = Calls(bed.host, bed.port).claims(grid.sites)
    async with Pool(bed.host, bed.port, size=16) as pool:
        asking = asyncio.create_task(_ask(pool, requests, tally, over))
        cycle = None
        if environment is None:
            await asyncio.sleep(max(bed.seconds, 10.0))
        else:
            cycle = await asyncio.to_thread(_cycle, environment)
        over.set()
        await asking
    return tally, cycle


async def _ask(pool: Pool, requests: Iterator[Request], tally: Tally, over: asyncio.Event) -> None:
    """A_SECOND claims; the latency counts from when each was due."""
    begun, sent = time.perf_counter(), 0
    while not over.is_set():
        due = begun + sent / A_SECOND
        if due > time.perf_counter():
            await asyncio.sleep(0.005)
            continue
        sent += 1
        pool.send(next(requests)[0], partial(_answered, tally, due))
    end = time.monotonic() + 10
    while len(tally) < sent and time.monotonic() < end:
        await asyncio.sleep(0.01)


def _answered(tally: Tally, due: float, status: int, body: bytes) -> None:
    tally.add(status, time.perf_counter() - due)


def _cycle(environment: dict[str, str]) -> Cycle:
    """`manage.py bamboo`, with what the kernel says of it."""
    begun = time.perf_counter()
    words = [sys.executable, "manage.py", "bamboo", "--seed", "1"]
    child = subprocess.Popen(
        words,
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    said: list[str] = []
    assert child.stdout is not None
    reader = threading.Thread(target=lambda out: said.append(out.read()), args=(child.stdout,))
    reader.start()
    peak = 0.0
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, peak_mb(child.pid))
        time.sleep(LOOK_SECONDS)
    _pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    child.stdout.close()
    return Cycle(
        seconds=time.perf_counter() - begun,
        cpu=usage.ru_utime + usage.ru_stime,
        memory_mb=peak,
        said="".join(said),
        ok=child.returncode == 0,
    )
