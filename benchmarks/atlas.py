"""The headline: the published load of a large experiment, held for minutes on one machine.

600,000 jobs run and send a heartbeat every half hour (333 per second); 8.3 jobs per second go
through their whole life; pilots without a job ask as often as the server tells them to; somebody
looks at the dashboard all the time. What the server side may use is one core.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import fill
from benchmarks.bed import Bed, Data, machine, number, test_bed
from benchmarks.calls import Calls
from benchmarks.command import say
from benchmarks.figures.living import WORKERS, await_registered, memory_figure, sound
from benchmarks.figures.submission import INPUTS
from benchmarks.fleet import Fleet
from benchmarks.grid import Grid
from benchmarks.heart import Heart
from benchmarks.ledger import Ledger
from benchmarks.load import Pool
from benchmarks.meter import Meter, Usage, memory_mb
from benchmarks.result import Bound, Figure, keep
from benchmarks.stats import Tally
from jobs import fsck

RUNNING = 600_000
HEARTBEATS = 333.0  # per second: each of them every 30 minutes
LIVES = 8.3  # per second: five million jobs a week
SITES = 100
WAITING_PILOTS = 10  # at each site; they come back when the server says, each minute
RUN_SECONDS = 30.0  # of a job whose whole life is seen
BUNCH = 25  # jobs of one submission
CONNECTIONS = 16  # of the pilots, and of the running jobs
WARM_UP = 60.0  # seconds before the window begins
PAUSE = 1.0  # between two looks at the dashboard
SAMPLE = 5.0  # seconds between two looks at the CPU
REST, DRAIN = 30.0, 180.0  # seconds that late answers may take
CORES, DASHBOARD_MS = 1.0, 60.0
# The rhythm of a large installation: nudges are quicker than any timetable.
PACE = {"PANDASITE_SWEEP_SECONDS": "60", "PANDASITE_NUDGE_SECONDS": "2"}


@dataclass(frozen=True)
class Sample:
    """CPU seconds by who used them, since the window began, at `at` seconds into it."""

    at: float
    usage: Usage


@dataclass
class Watched:
    """What the run looks like from outside."""

    begun: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    dashboard: list[tuple[float, float]] = field(default_factory=list)  # when, how long (s)
    memory: dict[str, list[float]] = field(default_factory=dict)
    lives: int = 0
    beats: int = 0
    registered: int = 0


def run(options: argparse.Namespace, results: Path) -> int:
    """The exit code: 0 when the run could be made, whatever came of it."""
    from benchmarks import report  # it draws

    with test_bed(scale=options.scale, seconds=0, say=say, environment=PACE) as bed:
        n = bed.scaled(RUNNING, least=SITES)
        say(f"{n} running jobs, {options.minutes:g} minutes")
        watched, ledger, figure, memory = measure(bed, n=n, seconds=60 * options.minutes)
    about = {"scale": options.scale, "minutes": options.minutes, **machine()}
    for found in (memory, figure):
        keep(found, results, more=about)
    folder = report.DOCS if options.report else results
    report.write(folder, figure, watched, ledger, about)
    print(figure.line(), flush=True)
    return 0


def measure(bed: Bed, *, n: int, seconds: float) -> tuple[Watched, Ledger, Figure, Figure]:
    """The run itself; (what was watched, what was heard, the headline, the memory)."""

    def preloaded(grid: Grid) -> None:
        fill.add_running(n, grid)
        fill.add_files(INPUTS, grid, copies=SITES)

    grid = bed.restore(Data("atlas", SITES, preloaded))
    bed.start_site(*WORKERS)
    watched, ledger = asyncio.run(_live(bed, grid, n=n, seconds=seconds))
    renewed = number(
        "SELECT coalesce(sum(report_seq - 1), 0) FROM jobs_pulse WHERE job_id BETWEEN %s AND %s",
        [fill.FIRST, fill.FIRST + n - 1],
    )
    differences = fsck.check()
    figure = _figure(watched, ledger, renewed=renewed, differences=differences, running=n)
    return watched, ledger, figure, memory_figure(watched.memory, running=n)


async def _live(bed: Bed, grid: Grid, *, n: int, seconds: float) -> tuple[Watched, Ledger]:
    """Three pools, so that neither pilots, running jobs nor the reader wait for each other."""
    calls, watched = Calls(bed.host, bed.port), Watched()
    async with (
        Pool(bed.host, bed.port, size=CONNECTIONS) as pilots,
        Pool(bed.host, bed.port, size=CONNECTIONS) as running,
        Pool(bed.host, bed.port, size=1) as browser,
    ):
        fleet = Fleet(calls, pilots, grid, run_seconds=RUN_SECONDS)
        heart = Heart(calls, running, grid, fleet.ledger, n=n, rate=HEARTBEATS)
        fleet.start_pilots(WAITING_PILOTS, within=WARM_UP)
        fleet.keep_rate(LIVES, bunch=BUNCH)
        beating = asyncio.create_task(heart.beat())
        await _pass(bed, fleet, WARM_UP)
        looking = asyncio.create_task(_look(calls, browser, fleet.ledger, watched))
        await _watch(bed, fleet, heart, watched, seconds)
        looking.cancel()
        beating.cancel()
        await heart.rest(seconds=REST)
        await fleet.drain(seconds=DRAIN)
        watched.registered = await await_registered(fleet.ledger)
        await fleet.stop()
        return watched, fleet.ledger


async def _watch(bed: Bed, fleet: Fleet, heart: Heart, watched: Watched, seconds: float) -> None:
    lives, beats, ledger = len(fleet.ledger.ended), heart.heard, fleet.ledger
    watched.begun, meter = time.monotonic(), Meter(bed.stack.running)
    while (spent := time.monotonic() - watched.begun) < seconds:
        await _pass(bed, fleet, min(SAMPLE, seconds - spent))
        usage = meter.read()
        watched.samples.append(Sample(usage.seconds, usage))
    watched.lives, watched.beats = len(ledger.ended) - lives, heart.heard - beats
    watched.memory = {name: memory_mb(pid) for name, pid in bed.stack.running().items()}


async def _pass(bed: Bed, fleet: Fleet, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 1.0))
        fleet.check()
        bed.stack.tick()  # it cuts logs that grow too long


async def _look(calls: Calls, browser: Pool, ledger: Ledger, watched: Watched) -> None:
    request = calls.get("/")
    while True:
        answer = await browser.ask(request)
        ledger.heard("dashboard", answer)
        watched.dashboard.append((time.monotonic() - watched.begun, answer.seconds))
        await asyncio.sleep(PAUSE)


def _figure(
    watched: Watched, ledger: Ledger, *, renewed: int, differences: list[str], running: int
) -> Figure:
    usage = watched.samples[-1].usage
    page = Tally()
    for _, seconds in watched.dashboard:
        page.add(200, seconds)
    dashboard = page.as_json()
    return Figure(
        figure="atlas",
        value=usage.cores,
        unit="cores",
        must=Bound(limit=CORES, at_most=True, unit="cores"),
        conditions={
            f"dashboard p95 <= {DASHBOARD_MS:g} ms": dashboard["p95_ms"] <= DASHBOARD_MS,
            **_at_their_rates(watched, ledger, usage, renewed),
            **sound(ledger, watched.registered, differences),
        },
        details={
            "running": running,
            **_used(watched, usage),
            "dashboard": dashboard,
            "registered": watched.registered,
            "differences": differences[:10],
            **ledger.as_json(),
        },
    )


def _at_their_rates(
    watched: Watched, ledger: Ledger, usage: Usage, renewed: int
) -> dict[str, bool]:
    beats = ledger.tallies["heartbeat"]
    return {
        "every heartbeat heard": renewed == len(beats) and not beats.errors,
        "heartbeats at their rate": watched.beats >= 0.98 * HEARTBEATS * usage.seconds,
        "lives at their rate": watched.lives >= 0.95 * LIVES * usage.seconds,
    }


def _used(watched: Watched, usage: Usage) -> dict[str, Any]:
    return {
        "window_seconds": usage.seconds,
        "cores": {who: used / usage.seconds for who, used in usage.cpu.items()},
        "foreign_cores": usage.foreign,
        "heartbeats_a_second": watched.beats / usage.seconds,
        "lives_a_second": watched.lives / usage.seconds,
    }
