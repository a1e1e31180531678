"""Whole lives of jobs, flat out: submitted, brokered, claimed, run, registered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import fill
from benchmarks.bed import Bed, Data
from benchmarks.calls import Calls
from benchmarks.figures import kit
from benchmarks.figures.submission import INPUTS
from benchmarks.fleet import Fleet
from benchmarks.ledger import Ledger
from benchmarks.load import Pool
from benchmarks.meter import Meter, Usage, memory_mb
from benchmarks.result import Bound, Figure
from jobs import fsck

SITES = 20
PILOTS_A_SITE = 6
CONNECTIONS = 24
BACKLOG = 3_000  # jobs under way
BUNCH = 200
WARM_UP = 10.0  # seconds
WINDOWS = 5  # of the run's length
DRAIN = 120.0
WEB_MB, WORKER_MB = 200, 300
WORKERS = ("worker", "transfers")


@dataclass(frozen=True)
class Lives:
    """A window of the fleet, and how it ended."""

    finished: int
    usage: Usage
    ledger: Ledger
    memory: dict[str, list[float]]
    registered: int


def run(bed: Bed) -> Iterator[Figure]:
    """life, memory: jobs finished per second once all is under way, and what the servers hold."""
    data = Data("life", SITES, lambda grid: fill.add_files(INPUTS, grid, copies=SITES))
    grid = bed.restore(data)
    bed.start_site(*WORKERS)
    calls = Calls(bed.host, bed.port)

    async def live() -> Lives:
        async with Pool(bed.host, bed.port, size=CONNECTIONS) as pool:
            return await _lives(bed, Fleet(calls, pool, grid))

    lives = asyncio.run(live())
    differences = fsck.check()
    bed.end_site()
    yield _life_figure(lives, differences)
    yield memory_figure(lives.memory)


async def _lives(bed: Bed, fleet: Fleet) -> Lives:
    fleet.start_pilots(PILOTS_A_SITE, within=1.0)
    fleet.keep_backlog(bed.scaled(BACKLOG, least=2 * BUNCH), bunch=BUNCH)
    await _wait(fleet, WARM_UP)
    before, meter = await asyncio.to_thread(kit.finished), Meter(bed.stack.running)
    await _wait(fleet, WINDOWS * bed.seconds)
    done, usage = await asyncio.to_thread(kit.finished) - before, meter.read()
    memory = {name: memory_mb(pid) for name, pid in bed.stack.running().items()}
    await fleet.drain(seconds=DRAIN)
    registered = await await_registered(fleet.ledger)
    await fleet.stop()
    return Lives(done, usage, fleet.ledger, memory, registered)


async def _wait(fleet: Fleet, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.5))
        fleet.check()


async def await_registered(ledger: Ledger) -> int:
    """Jobs that are finished, once all are or nothing has changed for half a minute."""
    seen, since = -1, time.monotonic()
    while True:
        found = await asyncio.to_thread(kit.finished)
        if found != seen:
            seen, since = found, time.monotonic()
        if found >= len(ledger.ended) or time.monotonic() - since > DRAIN / 4:
            return found
        await asyncio.sleep(0.5)


def _life_figure(lives: Lives, differences: list[str]) -> Figure:
    ledger = lives.ledger
    return Figure(
        figure="life",
        value=lives.finished / lives.usage.seconds,
        unit="jobs/s",
        must=Bound(limit=100, unit="jobs/s"),
        stretch=Bound(limit=200, unit="jobs/s"),
        conditions=sound(ledger, lives.registered, differences),
        details={
            "finished_in_window": lives.finished,
            "window_seconds": lives.usage.seconds,
            "cpu_us": lives.usage.per(lives.finished),
            "cores": lives.usage.cores,
            "foreign_cores": lives.usage.foreign,
            "registered": lives.registered,
            "differences": differences[:10],
            **ledger.as_json(),
        },
    )


def sound(ledger: Ledger, registered: int, differences: list[str]) -> dict[str, bool]:
    """What must be true after a fleet has gone home."""
    return {
        "no job lost": len(ledger.submitted) == len(ledger.ended) == registered,
        "no wrong answer": not ledger.wrong,
        "fsck finds no difference": not differences,
    }


def memory_figure(memory: dict[str, list[float]], **more: Any) -> Figure:
    """The largest web worker; the Celery worker is a condition."""
    web = max(memory["web"])
    worker = max(memory["worker"] + memory["transfers"])
    return Figure(
        figure="memory",
        value=web,
        unit="MB",
        must=Bound(limit=WEB_MB, at_most=True, unit="MB"),
        conditions={f"a Celery worker has at most {WORKER_MB} MB": worker <= WORKER_MB},
        details={"celery_worker_mb": worker, "processes_mb": memory, **more},
    )
