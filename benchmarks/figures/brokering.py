"""Brokerage: ten thousand jobs over two hundred sites, in this process as in the sweep."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks import fill
from benchmarks.bed import Bed, Data, moment, number, query
from benchmarks.grid import Grid
from benchmarks.meter import LOAD, Usage
from benchmarks.result import Bound, Figure
from jobs import assign

JOBS = 10_000
SITES = 200
ALIKE = 100  # jobs of one task ask for the same
FILES = 500
COPIES = 10
ROUNDS = 100
_DEFINED = "SELECT count(*) FROM jobs_job WHERE state = 'defined'"


def run(bed: Bed) -> Iterator[Figure]:
    """assign: jobs placed per second, all rounds of the sweep together."""
    n = bed.scaled(JOBS, least=2 * ALIKE)

    def defined(grid: Grid) -> None:
        block = f"'bench.task.' || k / {ALIKE}"
        fill.add_jobs("defined", n, grid, columns=fill.asks(ALIKE) | {"prod_d_block": block})
        fill.add_files(FILES, grid, copies=COPIES)
        fill.add_inputs(n, files=FILES, alike=ALIKE)

    bed.restore(Data("defined", SITES, defined))
    meter, begun, rounds = bed.meter(), time.monotonic(), 0
    while number(_DEFINED) and rounds < ROUNDS:
        assign.run(moment())
        rounds += 1
    seconds, usage = time.monotonic() - begun, meter.read()
    yield _figure(n, n - number(_DEFINED), seconds, usage, rounds=rounds)


def _figure(n: int, placed: int, seconds: float, usage: Usage, *, rounds: int) -> Figure:
    where = query(
        "SELECT state, count(*), count(DISTINCT computing_site_id) FROM jobs_job GROUP BY state"
    )
    cpu = usage.per(placed)
    return Figure(
        figure="assign",
        value=placed / seconds,
        unit="jobs/s",
        must=Bound(limit=2000, unit="jobs/s"),
        stretch=Bound(limit=5000, unit="jobs/s"),
        conditions={"every job placed": placed == n and all(row[0] != "failed" for row in where)},
        details={
            "jobs": n,
            "sites": SITES,
            "rounds": rounds,
            "foreign_cores": usage.foreign,
            "cpu_us": {"python": cpu.get(LOAD), "postgres": cpu.get("postgres")},
            "where": {state: {"jobs": jobs, "sites": sites} for state, jobs, sites in where},
        },
    )
