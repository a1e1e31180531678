"""Claims: what the statement costs beside the plainest one, and what HTTP makes of it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from benchmarks import statements as sql
from benchmarks.bed import Bed, Data
from benchmarks.figures import kit
from benchmarks.grid import Grid
from benchmarks.meter import by_cpu
from benchmarks.result import Bound, Figure, ratio_of
from jobs import many_claims
from pandasite.launcher.web import WORKERS

JOBS = 100_000
# Of the jobs are claimed by each pgbench: so many that the plans, which each of its clients makes
# once, are little of it.
PART = 0.5
MOST = 0.8  # of the jobs are claimed by each window
PEER = 66.0  # getJob/s of the peer on the two-core machine of the reference
TIMES_PEER = 20
ABOUT = 0.9
BULK = 20
GROUPS = (4, 8)  # claims that a web process asks for together
ASKING = WORKERS * many_claims.LEADERS  # such groups of a host at the same time
_TAKEN = "SELECT count(*) FROM {} WHERE state = 'sent'"


def run(bed: Bed) -> Iterator[Figure]:
    """claim_sql, claim_together, claim_http, claim_p99, claim_bulk."""
    n = bed.scaled(JOBS)
    data = kit.activated(n, "activated")
    counts = (ASKING, kit.CLIENTS, kit.MANY_CLIENTS)
    plain = {c: _plainest(bed, bed.restore(data), c, n) for c in counts}
    own = {c: _own(bed, bed.restore(data), c, n) for c in counts[1:]}
    yield _sql_figure(bed, data, n, plain, own)
    yield _together_figure(bed, data, n, plain)
    windows = {}
    for c in own:
        grid = bed.restore(data)
        bed.start_site()
        windows[c] = kit.claims(bed, grid, connections=c, jobs=int(MOST * n))
    yield _http_figure(windows, own)
    yield _p99_figure(windows[kit.MANY_CLIENTS])
    yield _bulk_figure(bed, bed.restore(data), n, own[kit.CLIENTS])


def _plainest(bed: Bed, grid: Grid, clients: int, n: int) -> kit.Statements:
    return kit.statements(
        bed,
        sql.plainest_claim(grid),
        clients=clients,
        transactions=int(PART * n),
        changed=_TAKEN.format("jobs_job"),
    )


def _own(bed: Bed, grid: Grid, clients: int, n: int, *, group: int = 1) -> kit.Statements:
    return kit.statements(
        bed,
        sql.own_claims(grid, group),
        clients=clients,
        transactions=int(PART * n) // group,
        changed=_TAKEN.format("jobs_job"),
    )


def _bare(bed: Bed, grid: Grid, n: int) -> kit.Statements:
    """L0 on a table that has nothing else."""
    with connection.cursor() as cursor:
        for statement in filter(str.strip, sql.PLAIN_TABLE.split(";")):
            cursor.execute(statement)
    return kit.statements(
        bed,
        sql.plainest_claim(grid, table="bench_plain"),
        clients=kit.CLIENTS,
        transactions=int(PART * n),
        changed=_TAKEN.format("bench_plain"),
    )


def _sql_figure(
    bed: Bed,
    data: Data,
    n: int,
    plain: dict[int, kit.Statements],
    own: dict[int, kit.Statements],
) -> Figure:
    bare = _bare(bed, bed.restore(data), n)
    many = own[kit.MANY_CLIENTS].rate / plain[kit.MANY_CLIENTS].rate
    return Figure(
        figure="claim_sql",
        value=own[kit.CLIENTS].rate,
        unit="claims/s",
        baseline=plain[kit.CLIENTS].rate,
        must=ratio_of(0.6),
        stretch=ratio_of(0.8),
        conditions={f"the same ratio at {kit.MANY_CLIENTS} clients": many >= 0.6},
        details={
            "l0": {str(c): found.as_json() for c, found in plain.items() if c in own},
            "l": {str(c): found.as_json() for c, found in own.items()},
            "l0_on_a_table_of_its_own": bare.as_json(),
            "ratio_at_32": many,
            "ratio_by_cpu": by_cpu(plain[kit.CLIENTS].cpu, own[kit.CLIENTS].cpu),
        },
    )


def _together_figure(bed: Bed, data: Data, n: int, plain: dict[int, kit.Statements]) -> Figure:
    """The statement for claims that wait together, by as many clients as a host has."""
    few, usual = ASKING, plain[kit.CLIENTS]
    own = {k: _own(bed, bed.restore(data), few, n, group=k) for k in GROUPS}
    return Figure(
        figure="claim_together",
        value=own[GROUPS[-1]].rate,
        unit="claims/s",
        baseline=usual.rate,
        must=ratio_of(0.6),
        stretch=ratio_of(0.8),
        details={
            "in_groups_of": {str(k): found.as_json() for k, found in own.items()},
            f"l0_at_{few}": plain[few].as_json(),
            "ratios": {str(k): found.rate / usual.rate for k, found in own.items()},
            f"ratios_to_l0_at_{few}": {
                str(k): found.rate / plain[few].rate for k, found in own.items()
            },
            "ratios_by_cpu": {str(k): by_cpu(usual.cpu, found.cpu) for k, found in own.items()},
        },
    )


def _http_figure(windows: dict[int, kit.Claims], own: dict[int, kit.Statements]) -> Figure:
    ratios = {c: windows[c].rate / own[c].rate for c in windows}
    best = max(found.rate for found in windows.values())
    few = kit.CLIENTS
    return Figure(
        figure="claim_http",
        value=windows[few].rate,
        unit="claims/s",
        baseline=own[few].rate,
        must=ratio_of(0.20),
        stretch=ratio_of(0.35),
        conditions={
            "the same ratio at 32 connections": ratios[kit.MANY_CLIENTS] >= 0.20,
            f"about {TIMES_PEER} times the peer's {PEER:g}/s": best >= ABOUT * TIMES_PEER * PEER,
            "every answer right": all(found.right for found in windows.values()),
        },
        details={
            "times_peer": best / PEER,
            "ratios": {str(c): ratio for c, ratio in ratios.items()},
            "ratios_by_cpu": {str(c): by_cpu(own[c].cpu, windows[c].cpu) for c in windows},
            "connections": {str(c): found.as_json() for c, found in windows.items()},
        },
    )


def _p99_figure(window: kit.Claims) -> Figure:
    said = window.as_json()
    return Figure(
        figure="claim_p99",
        value=said["p99_ms"],
        unit="ms",
        must=Bound(limit=40, at_most=True, unit="ms"),
        stretch=Bound(limit=20, at_most=True, unit="ms"),
        details={"connections": kit.MANY_CLIENTS, "p50_ms": said["p50_ms"], "rate": window.rate},
    )


def _bulk_figure(bed: Bed, grid: Grid, n: int, own: kit.Statements) -> Figure:
    bed.start_site()
    found = kit.claims(bed, grid, connections=kit.CLIENTS, jobs=int(MOST * n), n_jobs=BULK)
    return Figure(
        figure="claim_bulk",
        value=found.rate,
        unit="jobs/s",
        baseline=own.rate,
        must=ratio_of(1.5),
        stretch=ratio_of(2.4),
        conditions={"every answer right": found.right},
        details=found.as_json() | {"n_jobs": BULK, "ratio_by_cpu": by_cpu(own.cpu, found.cpu)},
    )
