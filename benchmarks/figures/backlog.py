"""Claims when the queue is long or empty, its head fits nobody, or somebody reads for long."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial

from django.db import connection

from benchmarks import fill
from benchmarks.bed import Bed, Data, moment
from benchmarks.calls import Calls
from benchmarks.figures import kit
from benchmarks.grid import CAP, PILOTS_A_SITE, Grid, add_pilots
from benchmarks.meter import by_cpu
from benchmarks.result import Figure, ratio_of

FEW, MANY = 100_000, 1_000_000
HOT = 50_000  # jobs that match, at one site
NOT_MATCHING = 50_000
EMPTY = 100_000  # claims for which there is no job, at most
HOT_PILOTS = kit.SITES * PILOTS_A_SITE
MOST = 0.8
AT_ONE = 0.33  # of the claims at one site is left, at least, while somebody reads
REPORTED = 100_000  # jobs at one site, while somebody reads: more than are claimed in that time


def long_queue(bed: Bed) -> Iterator[Figure]:
    """claim_http_1m: ten times the backlog."""
    few, many = bed.scaled(FEW), bed.scaled(MANY)
    short, long = kit.activated(few, "activated"), kit.activated(many, "activated_1m")
    ask = partial(_claims, bed, jobs=int(MOST * few))
    found, without = _between(lambda: ask(short), lambda: ask(long))
    bed.end_site()
    bed.forget(long)
    yield _figure("claim_http_1m", found, without, must=0.9, stretch=0.97)


def bad_head(bed: Bed) -> Iterator[Figure]:
    """claim_http_nonmatching: every claim is at the site whose queue begins with them."""
    hot, bad = bed.scaled(HOT), bed.scaled(NOT_MATCHING)

    def good(grid: Grid) -> None:
        _hot_site(grid, hot)

    def both(grid: Grid) -> None:
        good(grid)
        fill.add_not_matching(bad, grid, first=fill.FIRST + hot)

    clean = Data("hot_site", kit.SITES, good)
    spoilt = Data("hot_site_bad_head", kit.SITES, both)
    ask = partial(_claims, bed, jobs=int(MOST * hot), hot=True)
    found, without = _between(lambda: ask(clean), lambda: ask(spoilt))
    yield _figure("claim_http_nonmatching", found, without, must=0.5, stretch=0.8)


def long_report(bed: Bed) -> Iterator[Figure]:
    """claim_with_report: claims while a transaction reads on and on.

    As long as it does, the versions of rows that claims leave behind stay where they are: at the
    head of each queue, and behind the row of each room. All claims at one site are the worst of it.
    """
    n = bed.scaled(REPORTED)
    spread = kit.activated(bed.scaled(FEW), "activated")
    one = Data("hot_site_capped", kit.SITES, lambda grid: _hot_site(grid, n), cap=CAP)
    ask = partial(_claims, bed, spread, jobs=int(MOST * bed.scaled(FEW)))
    found, without = _between(ask, lambda: ask(reading=True))
    ask_one = partial(_claims, bed, one, jobs=int(MOST * n), hot=True)
    worst, alone = _between(ask_one, lambda: ask_one(reading=True))
    bed.forget(one)
    figure = _figure("claim_with_report", found, without, must=0.8, stretch=0.95)
    at_one = {
        "ratio": worst.rate / alone.rate,
        "ratio_by_cpu": by_cpu(alone.cpu, worst.cpu),
        "with": worst.as_json(),
        "without": alone.as_json(),
    }
    held = {
        "every answer right": found.right and without.right and worst.right and alone.right,
        f"at one site at least {AT_ONE:g} of it": worst.rate >= AT_ONE * alone.rate,
    }
    yield replace(figure, conditions=held, details={**figure.details, "at_one_site": at_one})


def no_queue(bed: Bed) -> Iterator[Figure]:
    """claim_empty: claims where nothing is activated, as most are while pilots wait for work."""
    few = bed.scaled(FEW)
    with_jobs = _claims(bed, kit.activated(few, "activated"), jobs=int(MOST * few))
    grid = bed.restore(Data("nothing", kit.SITES, lambda grid: None, cap=CAP))
    bed.start_site()
    requests = Calls(bed.host, bed.port).claims(grid.sites)
    most = itertools.islice(requests, EMPTY)  # more would be more than the pilots may ask
    load, usage = kit.window(bed, most, connections=kit.CLIENTS)
    cpu = usage.per(len(load.tally))
    yield Figure(
        figure="claim_empty",
        value=load.rate,
        unit="claims/s",
        baseline=with_jobs.rate,
        must=ratio_of(0.8),
        conditions={"every answer right": with_jobs.right and not load.tally.errors},
        details={
            "ratio_by_cpu": by_cpu(with_jobs.cpu, cpu),
            "cpu_us": cpu,
            "foreign_cores": usage.foreign,
            **load.tally.as_json(),
            "with_jobs": with_jobs.as_json(),
        },
    )


def _between(
    plain: Callable[[], kit.Claims], with_more: Callable[[], kit.Claims]
) -> tuple[kit.Claims, kit.Claims]:
    """The claims with more, and the better of two windows of plain ones: before and behind them.

    What others do on the machine changes from minute to minute. Of wrong answers in one it tells.
    """
    before, found, behind = plain(), with_more(), plain()
    return found, max(before, behind, key=lambda claims: (not claims.right, claims.rate))


@contextmanager
def _reading() -> Iterator[None]:
    """Within it, a transaction sees the tables as they were at its beginning."""
    with closing(connection.copy()) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT count(*) FROM jobs_job WHERE state = 'running'")
        yield
        cursor.execute("ROLLBACK")


def _first(grid: Grid) -> Grid:
    return Grid(sites=grid.sites[:1], manager=grid.manager)


def _hot_site(grid: Grid, jobs: int) -> None:
    """So many jobs at the first site, which as many pilots ask for as at all sites otherwise."""
    add_pilots(grid.sites[:1], range(PILOTS_A_SITE, HOT_PILOTS), now=moment())
    fill.add_jobs("activated", jobs, _first(grid), columns=fill.AT_A_SITE)


def _claims(
    bed: Bed, data: Data, *, jobs: int, hot: bool = False, reading: bool = False
) -> kit.Claims:
    grid = bed.restore(data)
    bed.start_site()
    where = {"sites": 1, "pilots": HOT_PILOTS} if hot else {}
    with _reading() if reading else nullcontext():
        return kit.claims(bed, grid, connections=kit.CLIENTS, jobs=jobs, **where)


def _figure(
    name: str, found: kit.Claims, without: kit.Claims, *, must: float, stretch: float
) -> Figure:
    return Figure(
        figure=name,
        value=found.rate,
        unit="claims/s",
        baseline=without.rate,
        must=ratio_of(must),
        stretch=ratio_of(stretch),
        conditions={"every answer right": found.right and without.right},
        details={
            "ratio_by_cpu": by_cpu(without.cpu, found.cpu),
            "with": found.as_json(),
            "without": without.as_json(),
        },
    )
