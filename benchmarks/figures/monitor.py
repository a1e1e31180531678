"""The pages of the monitor over a large installation: how long the server takes, how it grows.

Two web servers are there, one over all of the archive and one over a tenth of it. One reader asks
for one page after the other over a kept connection, so many times of the one, then of the other,
and again: a machine that is slower for a while is so for both. A page that does not exist (yet)
has no figure.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from django.db import connection

from benchmarks import archive, fill, traffic
from benchmarks.bed import Bed, Data, moment
from benchmarks.calls import Calls
from benchmarks.grid import Grid
from benchmarks.load import Heard, Load, Request, run_closed
from benchmarks.meter import LOAD, Usage
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
BLOCKS = 4  # of them, each in turn with one of the other server
THREADS = 16  # of a web server: each has plans of its own to make


def names() -> tuple[str, ...]:
    """The figures of the pages that there are."""
    return (*(page.figure for page in PAGES if is_there(page)), JOB, "page_growth", "page_data")


class Look:
    """What it took to look at a page's addresses at one of the servers, block by block."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._last = 0.0
        self.tally = Tally()
        self.seconds: dict[str, list[float]] = {address: [] for address in addresses}
        self.most = 0  # bytes of an answer
        self.wrong: Counter[str] = Counter()
        self.used: Counter[str] = Counter()  # seconds of CPU, by who used them

    @property
    def ms(self) -> float:
        """The 95th percentile."""
        return float(self.tally.as_json()["p95_ms"])

    @property
    def cpu(self) -> dict[str, float]:
        """Microseconds a page, by who used them; `server` is all but the load tool."""
        us = {who: 1e6 * used / len(self.tally) for who, used in self.used.items()}
        return us | {"server": sum(used for who, used in us.items() if who != LOAD)}

    def begin(self) -> None:
        """The next answer is asked for now."""
        self._last = time.perf_counter()

    def heard(self, tag: int, status: int, body: bytes) -> None:
        """Something else than a page, or the way to one, is wrong."""
        now, address = time.perf_counter(), self._addresses[tag]
        self.seconds[address].append(now - self._last)
        self._last = now
        self.most = max(self.most, len(body))
        if status not in (200, 302):
            self.wrong[f"{status} {address}"] += 1

    def add(self, block: Tally, used: Usage) -> None:
        """A block is over."""
        self.tally.seconds.extend(block.seconds)
        self.tally.statuses.update(block.statuses)
        self.used.update(used.cpu)

    def slowest(self, n: int = 5) -> dict[str, float]:
        """The median (ms) of the addresses that take longest."""
        medians = {a: 1000 * median(seconds) for a, seconds in self.seconds.items() if seconds}
        return dict(sorted(medians.items(), key=lambda item: -item[1])[:n])


def run(bed: Bed) -> Iterator[Figure]:
    """A figure for each page, and one for the making of the data."""
    small, full = _states(bed)
    begun = time.monotonic()
    bed.restore(small)
    bed.grow(small, full)
    bed.forget(full)  # it is there, and nobody sets it back
    made = time.monotonic() - begun
    bed.start_site()
    servers = [bed.start_second(small), (bed.host, bed.port)]
    pages = [*(page for page in PAGES if is_there(page)), _job_page(bed)]
    looks = {page.figure: _look(bed, page, servers) for page in pages}
    bed.end_site()
    bed.forget(small)
    for page in pages:
        yield _figure(page, *looks[page.figure])
    yield _growth(looks, judged=[page.figure for page in pages if not page.of_more])
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


def _job_page(bed: Bed) -> Page:
    """Jobs of either side, some of each state."""
    dice = random.Random(1)
    live, a_week = bed.scaled(LIVE), bed.scaled(ENDED) // WEEKS
    keys = [fill.FIRST + dice.randrange(int(0.9 * live)) for _ in range(60)]
    keys += [archive.FIRST_ENDED + a_week + dice.randrange(2 * a_week) for _ in range(60)]
    given = [{"panda_id": key} for key in keys]
    return Page(figure=JOB, limit_ms=JOB_MS, name="monitor:job", arguments=given)


@dataclass(frozen=True)
class _Side:
    """One of the servers, what it is asked for, and what that took."""

    server: tuple[str, int]
    requests: list[Request]
    look: Look


def _look(bed: Bed, page: Page, servers: Sequence[tuple[str, int]]) -> list[Look]:
    """The page at each of the servers, in blocks that take turns: 1 2, 2 1, 1 2 ..."""
    addresses = page.addresses()
    sides = [_Side(server, _requests(server, addresses), Look(addresses)) for server in servers]
    rounds = max(_warm_up(bed, side) for side in sides)
    for block in range(BLOCKS):
        for side in sides[:: -1 if block % 2 else 1]:
            meter = bed.meter()
            side.look.begin()
            load = _ask(bed, side.server, side.requests * rounds, heard=side.look.heard)
            side.look.add(load.tally, meter.read())
    return [side.look for side in sides]


def _warm_up(bed: Bed, side: _Side) -> int:
    """Each thread of the server has plans to make. How often a block is to ask for everything."""
    n = len(side.requests)
    _ask(bed, side.server, side.requests * -(-2 * THREADS // n), connections=THREADS)
    took = _ask(bed, side.server, side.requests).seconds
    return max(-(-LEAST // BLOCKS // n), int(bed.seconds / BLOCKS / max(took, 0.001)))


def _requests(server: tuple[str, int], addresses: Sequence[str]) -> list[Request]:
    calls = Calls(*server)
    return [(calls.get(address), nr) for nr, address in enumerate(addresses)]


def _ask(
    bed: Bed,
    server: tuple[str, int],
    requests: list[Request],
    *,
    connections: int = 1,
    heard: Heard = lambda tag, status, body: None,
) -> Load:
    """All of them, one after the other on each of so many connections."""
    return run_closed(
        *server,
        iter(requests),
        connections=connections,
        heard=heard,
        seconds=bed.seconds,
        least=len(requests),
    )


def _growth(looks: Mapping[str, Sequence[Look]], *, judged: Sequence[str]) -> Figure:
    """How many times the CPU of a tenth of the archive all of it takes: the worst of these."""
    by_cpu = {figure: grown(few, every) for figure, (few, every) in looks.items()}
    return Figure(
        figure="page_growth",
        value=max(by_cpu[figure] for figure in judged),
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
    most = max(first.most, second.most)
    wrong = first.wrong + second.wrong
    return Figure(
        figure=page.figure,
        value=second.ms,
        unit="ms",
        must=Bound(limit=page.limit_ms, at_most=True, unit="ms"),
        conditions={
            "every answer a page": not wrong,
            f"grows at most {GROWTH:g} times from a tenth of the archive": growth <= GROWTH
            or page.of_more,
            f"at most {WIRE // 1000} KB over the wire": most <= WIRE,
        },
        details={
            "growth_by_cpu": growth,
            "growth_of_p50": second.tally.as_json()["p50_ms"] / first.tally.as_json()["p50_ms"],
            "bytes_most": most,
            "wrong": dict(wrong),
            "cpu_us": {who: us for who, us in second.cpu.items() if who != LOAD},
            "cpu_us_with_a_tenth": {who: us for who, us in first.cpu.items() if who != LOAD},
            "slowest_ms": second.slowest(),
            "with_a_tenth": first.tally.as_json(),
            **second.tally.as_json(),
        },
    )
