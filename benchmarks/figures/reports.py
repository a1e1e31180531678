"""Heartbeats, one by one and in bulk; final reports with the registration of what they name."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

from benchmarks import fill
from benchmarks import statements as sql
from benchmarks.bed import Bed, Data, number
from benchmarks.calls import REPORT, REPORTS, Calls, encoded, final_fields, report_fields
from benchmarks.figures import kit
from benchmarks.grid import Grid
from benchmarks.load import Load, Request, run_closed
from benchmarks.meter import Usage, by_cpu
from benchmarks.result import Bound, Figure, ratio_of

RUNNING = 100_000
BEATS = 40_000  # of pgbench
BULK = 100
ENDING = 3_000
OUTPUTS = 2
DRAIN = 180.0  # seconds that registration may take after the last report
BULK_SEQ = 1_000_000  # above any number that single heartbeats come to
_RENEWED = "SELECT sum(report_seq - 1) FROM jobs_pulse"
MOST_IN_BULK = 100_000  # heartbeats a second that the requests are enough for
_IN_BULK = f"""
SELECT coalesce(sum(report_seq - {BULK_SEQ - 1}), 0) FROM jobs_pulse WHERE report_seq >= {BULK_SEQ}
"""


def heartbeats(bed: Bed) -> Iterator[Figure]:
    """heartbeat, heartbeat_bulk: against pgbench's single update of the same row."""
    n = bed.scaled(RUNNING, least=2 * BULK * kit.SITES)
    data = Data("running", kit.SITES, lambda grid: fill.add_running(n, grid))
    bed.restore(data)
    base = kit.statements(
        bed,
        sql.one_heartbeat(fill.FIRST, fill.FIRST + n - 1),
        clients=kit.CLIENTS,
        transactions=bed.scaled(BEATS),
        changed=_RENEWED,
    )
    grid = bed.restore(data)
    bed.start_site()
    yield _single(bed, grid, n, base)
    yield _bulk(bed, grid, n, base)


def _single(bed: Bed, grid: Grid, n: int, base: kit.Statements) -> Figure:
    # made before the window: to write JSON costs the load tool as much as the server to read it
    requests = iter(list(_beats(Calls(bed.host, bed.port), grid, n, seq=2)))
    before = number(_RENEWED)
    load, usage = kit.window(bed, requests, connections=kit.CLIENTS)
    renewed = number(_RENEWED) - before
    return Figure(
        figure="heartbeat",
        value=load.rate,
        unit="heartbeats/s",
        baseline=base.rate,
        must=ratio_of(0.10),
        stretch=ratio_of(0.2),
        conditions={"every heartbeat heard": _all_heard(load, renewed, 1)},
        details={
            "cpu_us": usage.per(len(load.tally)),
            "ratio_by_cpu": by_cpu(base.cpu, usage.per(len(load.tally))),
            "foreign_cores": usage.foreign,
            **load.tally.as_json(),
            "renewed": renewed,
            "pgbench": base.as_json(),
        },
    )


def _bulk(bed: Bed, grid: Grid, n: int, base: kit.Statements) -> Figure:
    enough = math.ceil(MOST_IN_BULK * bed.seconds / BULK)
    beats = _bulk_beats(Calls(bed.host, bed.port), grid, n)
    requests = iter(list(itertools.islice(beats, enough)))
    before = number(_IN_BULK)
    load, usage = kit.window(bed, requests, connections=kit.CLIENTS, least=10)
    renewed = number(_IN_BULK) - before
    return Figure(
        figure="heartbeat_bulk",
        value=renewed / load.seconds,
        unit="heartbeats/s",
        baseline=base.rate,
        must=ratio_of(3),
        stretch=ratio_of(6),
        conditions={"every heartbeat heard": _all_heard(load, renewed, BULK)},
        details={
            "a_request": BULK,
            "cpu_us": usage.per(renewed),
            "ratio_by_cpu": by_cpu(base.cpu, usage.per(renewed)),
            "foreign_cores": usage.foreign,
            **load.tally.as_json(),
            "renewed": renewed,
        },
    )


def _all_heard(load: Load, renewed: int, a_request: int) -> bool:
    return not load.tally.errors and renewed == a_request * len(load.tally)


def _beats(calls: Calls, grid: Grid, n: int, *, seq: int) -> Iterator[Request]:
    """One heartbeat of each job."""
    heads = [calls.head(REPORT, place.token) for place in grid.sites]
    for k in range(n):
        panda_id = fill.FIRST + k
        said = report_fields(panda_id, fill.lease_token(panda_id), seq, "running")
        yield heads[k % len(heads)] + calls.tail(encoded(said)), k


def _bulk_beats(calls: Calls, grid: Grid, n: int) -> Iterator[Request]:
    """The jobs of a site by the hundred, one site after the other, and from the beginning again."""
    sites = len(grid.sites)
    heads = [calls.head(REPORTS, place.token) for place in grid.sites]
    for seq in itertools.count(BULK_SEQ):
        for begin in range(0, n // sites - BULK + 1, BULK):
            for site in range(sites):
                ids = [fill.FIRST + site + sites * (begin + i) for i in range(BULK)]
                said = [report_fields(one, fill.lease_token(one), seq, "running") for one in ids]
                yield heads[site] + calls.tail(encoded({"reports": said})), site


def final_reports(bed: Bed) -> Iterator[Figure]:
    """final_report: from the first report to the last job finished, the sweep in Celery."""
    n = bed.scaled(ENDING, least=200)

    def ending(grid: Grid) -> None:
        fill.add_running(n, grid)
        fill.add_outputs(n, per_job=OUTPUTS)

    grid = bed.restore(Data("ending", kit.SITES, ending))
    bed.start_site("worker")
    _await_worker(bed)
    meter, begun = bed.meter(), time.monotonic()
    load = run_closed(
        bed.host,
        bed.port,
        _final_words(Calls(bed.host, bed.port), grid, n),
        connections=kit.CLIENTS,
        heard=lambda tag, status, body: None,
        seconds=DRAIN,
    )
    finished = _await_finished(n)
    yield _final_figure(load, meter.read(), time.monotonic() - begun, n=n, finished=finished)


def _final_figure(load: Load, usage: Usage, seconds: float, *, n: int, finished: int) -> Figure:
    return Figure(
        figure="final_report",
        value=finished / seconds,
        unit="jobs/s",
        must=Bound(limit=250, unit="jobs/s"),
        stretch=Bound(limit=500, unit="jobs/s"),
        conditions={"every job finished": finished == n and not load.tally.errors},
        details={
            "jobs": n,
            "outputs_a_job": OUTPUTS,
            "reports_a_second": load.rate,
            "cores": usage.cores,
            "foreign_cores": usage.foreign,
            "cpu_us": usage.per(finished),
            **load.tally.as_json(),
        },
    )


def _final_words(calls: Calls, grid: Grid, n: int) -> Iterator[Request]:
    heads = [calls.head(REPORT, place.token) for place in grid.sites]
    for k in range(n):
        panda_id = fill.FIRST + k
        names = fill.output_names(panda_id, OUTPUTS)
        said = final_fields(panda_id, fill.lease_token(panda_id), 2, names)
        yield heads[k % len(heads)] + calls.tail(encoded(said)), k


def _await_worker(bed: Bed, *, seconds: float = 60.0) -> None:
    """Until the first sweep has run: the start of a worker is not what is measured."""
    bed.stack.wait_for(
        ["worker"], lambda: number("SELECT count(*) FROM base_sweeprun") > 3, seconds=seconds
    )
    time.sleep(2)


def _await_finished(n: int) -> int:
    """How many are finished once all are, or once nothing has changed for a while."""
    seen, since = -1, time.monotonic()
    while (found := kit.finished()) < n and time.monotonic() - since < DRAIN / 3:
        if found != seen:
            seen, since = found, time.monotonic()
        time.sleep(0.05)
    return found
