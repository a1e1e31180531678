"""The pages of the monitor over a large installation: how long the server takes, how it grows.

A tenth of the archive is there when the pages are looked at for the first time, all of it the
second time. One reader asks for one page after the other over a kept connection; a page that does
not exist (yet) has no figure.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from django.db import connection

from benchmarks import archive, fill, traffic
from benchmarks.bed import Bed, Data, moment
from benchmarks.calls import Calls
from benchmarks.grid import Grid
from benchmarks.load import run_closed
from benchmarks.meter import LOAD
from benchmarks.pages import JOB, JOB_MS, PAGES, Page, is_there
from benchmarks.result import Bound, Figure
from benchmarks.stats import Tally
from jobs import counts
from jobs.models import EndDelta, ErrorCount, ErrorTotal, NodeCount, WorkflowCount
from monitor import tally
from monitor.plots import rollup

LIVE = 1_000_000
ENDED = 10_000_000
DATASETS = 10 * 147_033
SITES = 200
LINKS = 2000  # that move something in each hour
WEEKS = 40  # that the archive spans when it is full
PART = 0.1  # of the archive that is there at first
GROWTH = 1.3
SUMS = (EndDelta, ErrorCount, ErrorTotal, NodeCount, WorkflowCount)
WIRE = 150_000  # bytes, compressed
LEAST = 150  # answers of a page


def names() -> tuple[str, ...]:
    """The figures of the pages that there are."""
    return (*(page.figure for page in PAGES if is_there(page)), JOB, "page_growth", "page_data")


@dataclass(frozen=True)
class Look:
    """What it took to look at a page's addresses; CPU in microseconds a page, of the server."""

    tally: Tally
    seen: _Seen
    cpu: Mapping[str, float]

    @property
    def ms(self) -> float:
        """The 95th percentile."""
        return float(self.tally.as_json()["p95_ms"])


class _Seen:
    """The answers of a reader who asks for one thing after the other."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._last = time.perf_counter()
        self.seconds: dict[str, list[float]] = {address: [] for address in addresses}
        self.most = 0  # bytes of an answer
        self.wrong: Counter[str] = Counter()

    def heard(self, tag: int, status: int, body: bytes) -> None:
        """Something else than a page, or the way to one, is wrong."""
        now, address = time.perf_counter(), self._addresses[tag]
        self.seconds[address].append(now - self._last)
        self._last = now
        self.most = max(self.most, len(body))
        if status not in (200, 302):
            self.wrong[f"{status} {address}"] += 1

    def slowest(self, n: int = 5) -> dict[str, float]:
        """The median (ms) of the addresses that take longest."""
        medians = {a: 1000 * median(seconds) for a, seconds in self.seconds.items() if seconds}
        return dict(sorted(medians.items(), key=lambda item: -item[1])[:n])


def run(bed: Bed) -> Iterator[Figure]:
    """A figure for each page, and one for the making of the data."""
    small, full = _states(bed)
    begun = time.monotonic()
    bed.restore(small)
    made = time.monotonic() - begun
    first = _look_at_all(bed)
    begun = time.monotonic()
    bed.grow(small, full)
    bed.forget(small)
    made += time.monotonic() - begun
    second = _look_at_all(bed)
    bed.forget(full)
    for page in [*(page for page in PAGES if is_there(page)), _job_page(bed)]:
        yield _figure(page, first[page.figure], second[page.figure])
    yield _growth(first, second)
    yield Figure(
        figure="page_data",
        value=made / 60,
        unit="min",
        must=Bound(limit=15, at_most=True, unit="min"),
        details={"live": bed.scaled(LIVE), "ended": bed.scaled(ENDED), "sites": SITES},
    )


def _states(bed: Bed) -> tuple[Data, Data]:
    a_week, weeks = bed.scaled(ENDED) // WEEKS, round(PART * WEEKS)

    def little(grid: Grid) -> None:
        archive.add_datasets(bed.scaled(DATASETS))
        traffic.add(grid, links=bed.scaled(LINKS))
        archive.add_live(bed.scaled(LIVE), grid)
        archive.add_ended(a_week, grid, weeks=range(1, weeks + 1))
        _sweep()

    def rest(grid: Grid) -> None:
        archive.add_ended(a_week, grid, weeks=range(weeks + 1, WEEKS + 1))
        _sweep()

    return Data("monitor", SITES, little), Data("monitor_full", SITES, rest)


def _sweep() -> None:
    """What the sweeps would have done meanwhile."""
    now = moment()
    counts.merge_old(now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM FULL jobs_jobcount")  # months of it came and went in a minute
        # The archive is filled past the triggers: what they would have summed up.
        cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in SUMS)}")
        cursor.execute("SELECT jobs_recount_ends(%s)", [now])
    while rollup.missing_hours(now):
        rollup.run(now)
    while tally.run(now):
        pass
    archive.add_up(now)


def _look_at_all(bed: Bed) -> dict[str, Look]:
    bed.start_site()
    pages = [*(page for page in PAGES if is_there(page)), _job_page(bed)]
    return {page.figure: _look(bed, page) for page in pages}


def _job_page(bed: Bed) -> Page:
    """Jobs of either side, some of each state."""
    dice = random.Random(1)
    live, a_week = bed.scaled(LIVE), bed.scaled(ENDED) // WEEKS
    keys = [fill.FIRST + dice.randrange(int(0.9 * live)) for _ in range(60)]
    keys += [archive.FIRST_ENDED + a_week + dice.randrange(2 * a_week) for _ in range(60)]
    given = [{"panda_id": key} for key in keys]
    return Page(figure=JOB, limit_ms=JOB_MS, name="monitor:job", arguments=given)


def _look(bed: Bed, page: Page) -> Look:
    """Each address once to warm up, then all of them until there are enough answers."""
    calls, addresses = Calls(bed.host, bed.port), page.addresses()
    ask = partial(run_closed, bed.host, bed.port, connections=1, seconds=bed.seconds)
    requests = [(calls.get(address), nr) for nr, address in enumerate(addresses)]
    ask(iter(requests), heard=lambda tag, status, body: None, least=len(requests))
    rounds = -(-LEAST // len(requests))
    meter, seen = bed.meter(), _Seen(addresses)
    load = ask(iter(requests * rounds), heard=seen.heard, least=LEAST)
    return Look(tally=load.tally, seen=seen, cpu=meter.read().per(len(load.tally)))


def _growth(first: Mapping[str, Look], second: Mapping[str, Look]) -> Figure:
    """How many times the CPU of a tenth of the archive all of it takes, of the worst page."""
    by_cpu = {figure: grown(first[figure], look) for figure, look in second.items()}
    return Figure(
        figure="page_growth",
        value=max(by_cpu.values()),
        unit="times",
        must=Bound(limit=GROWTH, at_most=True, unit="times"),
        details={"by_cpu": dict(sorted(by_cpu.items(), key=lambda item: -item[1]))},
    )


def grown(first: Look, second: Look) -> float:
    """By what the CPU of a page has grown."""
    return second.cpu["server"] / first.cpu["server"]


def _figure(page: Page, first: Look, second: Look) -> Figure:
    """Of the full archive; by how much it is more than with a tenth of it, in CPU."""
    growth = grown(first, second)
    most = max(first.seen.most, second.seen.most)
    wrong = first.seen.wrong + second.seen.wrong
    return Figure(
        figure=page.figure,
        value=second.ms,
        unit="ms",
        must=Bound(limit=page.limit_ms, at_most=True, unit="ms"),
        conditions={
            "every answer a page": not wrong,
            f"grows at most {GROWTH:g} times from a tenth of the archive": growth <= GROWTH,
            f"at most {WIRE // 1000} KB over the wire": most <= WIRE,
        },
        details={
            "growth_by_cpu": growth,
            "growth_of_p50": second.tally.as_json()["p50_ms"] / first.tally.as_json()["p50_ms"],
            "bytes_most": most,
            "wrong": dict(wrong),
            "cpu_us": {who: us for who, us in second.cpu.items() if who != LOAD},
            "slowest_ms": second.seen.slowest(),
            "with_a_tenth": first.tally.as_json(),
            **second.tally.as_json(),
        },
    )
