"""The watchdog with six hundred thousand running jobs, none of them silent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from benchmarks import fill
from benchmarks.bed import Bed, Data, moment
from benchmarks.figures import kit
from benchmarks.meter import LOAD, Meter
from benchmarks.result import Bound, Figure
from jobs import watch

RUNNING = 600_000
EVERY = 60  # seconds between two rounds in production
EVERY_EMBEDDED = 10
ROUNDS = 5


def run(bed: Bed) -> Iterator[Figure]:
    """silent_sweep: the CPU of a round, with the database's, as a part of a core."""
    n = bed.scaled(RUNNING)
    data = running_data(n)
    bed.restore(data)
    now = moment()
    watch.silent(now)  # the caches are warm, as they are with one round after the other
    silent = _seconds(bed, watch.silent, now)
    whole = _seconds(bed, watch.run, now)
    yield Figure(
        figure="silent_sweep",
        value=100 * whole / EVERY,
        unit="% of a core",
        must=Bound(limit=2, at_most=True, unit="% of a core"),
        details={
            "running": n,
            "rules": "all of the watchdog",
            "cpu_seconds_a_round": whole,
            "cpu_seconds_of_the_rule_silent": silent,
            "percent_with_a_round_each_10_s": 100 * whole / EVERY_EMBEDDED,
        },
    )
    bed.forget(data)


def running_data(n: int) -> Data:
    """So many running jobs at a hundred sites."""
    return Data("running_600k", kit.SITES, lambda grid: fill.add_running(n, grid))


def _seconds(bed: Bed, work: Callable[[dt.datetime], int], now: dt.datetime) -> float:
    """CPU seconds of one round, of this process and PostgreSQL; mean of some."""
    meter = Meter(bed.stack.running)
    for nr in range(ROUNDS):
        work(now + dt.timedelta(seconds=EVERY * nr))
    used = meter.read().cpu
    return (used[LOAD] + used["postgres"]) / ROUNDS
