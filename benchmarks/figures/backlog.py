"""Claims when the queue is long, or when what stands at its head fits nobody who asks."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import fill
from benchmarks.bed import Bed, Data
from benchmarks.figures import kit
from benchmarks.grid import Grid
from benchmarks.meter import by_cpu
from benchmarks.result import Figure, ratio_of

FEW, MANY = 100_000, 1_000_000
HOT = 50_000  # jobs that match, at one site
NOT_MATCHING = 50_000
MOST = 0.8


def long_queue(bed: Bed) -> Iterator[Figure]:
    """claim_http_1m: ten times the backlog."""
    few, many = bed.scaled(FEW), bed.scaled(MANY)
    short, long = kit.activated(few, "activated"), kit.activated(many, "activated_1m")
    without = _claims(bed, short, jobs=int(MOST * few))
    found = _claims(bed, long, jobs=int(MOST * few))
    bed.end_site()
    bed.forget(long)
    yield _figure("claim_http_1m", found, without, must=0.9, stretch=0.97)


def bad_head(bed: Bed) -> Iterator[Figure]:
    """claim_http_nonmatching: every claim is at the site whose queue begins with them."""
    hot, bad = bed.scaled(HOT), bed.scaled(NOT_MATCHING)

    def good(grid: Grid) -> None:
        fill.add_jobs("activated", hot, _first(grid), columns=fill.AT_A_SITE)

    def both(grid: Grid) -> None:
        good(grid)
        fill.add_not_matching(bad, grid, first=fill.FIRST + hot)

    clean = Data("hot_site", kit.SITES, good)
    spoilt = Data("hot_site_bad_head", kit.SITES, both)
    without = _claims(bed, clean, jobs=int(MOST * hot), sites=1)
    found = _claims(bed, spoilt, jobs=int(MOST * hot), sites=1)
    yield _figure("claim_http_nonmatching", found, without, must=0.5, stretch=0.8)


def _first(grid: Grid) -> Grid:
    return Grid(sites=grid.sites[:1], manager=grid.manager)


def _claims(bed: Bed, data: Data, *, jobs: int, sites: int = kit.SITES) -> kit.Claims:
    grid = bed.restore(data)
    bed.start_site()
    return kit.claims(bed, grid, connections=kit.CLIENTS, jobs=jobs, sites=sites)


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
