"""A whole replay, from the work of a log: simulated, or let in as time goes by."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from pandasite.base.clock import database_now
from pandasite.replay.entry import Entry, Payload
from pandasite.replay.fleet import Fleet
from pandasite.replay.grid import CLOUD, make_grid
from pandasite.replay.production import ProductionEntry
from pandasite.replay.simulate import Pace, Simulation
from pandasite.replay.work import Work

NAP = 5.0  # seconds between two looks, at most


def simulate(
    work: Work,
    *,
    pace: Pace | None = None,
    say: Callable[[str], None] = lambda line: None,
    stopped: Callable[[], bool] = lambda: False,
    direct: bool = False,
) -> Simulation:
    """Make the grid of the log, and replay it on a virtual clock in this process.

    The jobs come in through prodDB and Bamboo, or `direct`: they are submitted as by a user.
    """
    fleet = Fleet(work=work, places=make_grid(work.slots, now=work.start))
    entry: Entry = (
        Entry(work=work, payload=Payload())
        if direct
        else ProductionEntry(work=work, payload=Payload(), cloud=CLOUD)
    )
    simulation = Simulation(entry=entry, fleet=fleet, pace=pace or Pace(), say=say, stopped=stopped)
    simulation.run()
    return simulation


def let_in(
    entry: Entry,
    *,
    say: Callable[[str], None],
    clock: Callable[[], dt.datetime] = database_now,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Submit each job at its moment, the first that is missing now; returns how many."""
    n = entry.resume()
    if n:
        say(f"{n:,} jobs were in already")
    begun = clock() - dt.timedelta(seconds=0 if entry.is_over else entry.next_at)
    while not entry.is_over:
        now = clock()
        seconds = (now - begun).total_seconds()
        if entered := entry.let_in(seconds, now=now):
            n += entered
            say(f"{n:,} of {len(entry.work.jobs):,} jobs are in")
        if not entry.is_over:
            sleep(min(NAP, max(0.0, entry.next_at - seconds)))
    return n
