"""A log from its first job to its last end, on a virtual clock: nobody sleeps.

The services are those of the product, called in this process, and every moment is an argument:
1. each cycle (600 s, as Bamboo's): what was submitted meanwhile comes in, brokerage has its rounds,
   counts are folded;
2. each tick: jobs end and are reported at their own second, free slots claim what waits;
3. when it is their turn: registration, heartbeats, the watchdog, the sums of usage and live jobs,
   shares, the archive.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from jobs import archive, assign, counts, ends, register, tally, usage, watch
from jobs.models import Job, Share
from jobs.shares import act as shares
from jobs.states import FINAL
from pandasite.base.nudge import silence
from pandasite.base.rounds import Incomplete
from pandasite.replay import grid
from pandasite.replay.entry import Entry
from pandasite.replay.fleet import Fleet

log = logging.getLogger(__name__)

HOUR = 3600.0
PATIENCE = 60 * 24 * HOUR  # after the last submission: what has not ended by then is lost
ROUNDS = 20  # of brokerage in one cycle, each of which ends by itself after some seconds


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds of the virtual clock between two of a kind."""

    tick: float = 60.0
    cycle: float = 600.0
    register: float = 120.0
    hourly: float = HOUR


@dataclass(kw_only=True)
class Simulation:
    """The loop. `say` is told how far it is, now and then."""

    entry: Entry
    fleet: Fleet
    pace: Pace = field(default_factory=Pace)
    say: Callable[[str], None] = lambda line: None
    stopped: Callable[[], bool] = lambda: False  # asked between two steps
    seconds: float = 0.0  # of the virtual clock
    spent: dict[str, float] = field(default_factory=dict)  # wall seconds by what was done
    _due: dict[str, float] = field(default_factory=dict)
    _holding: int = 0
    _told: float = 0.0

    def run(self) -> None:
        """Until every job that came in has ended, or nothing moves any more."""
        with silence():
            self._hourly()
            while not self._over() and not self.stopped():
                self._step()
                self.seconds = self._next()
            self._do("register", self._register)
            self._do("fold", self._fold)
            self._do("submit", lambda: self.entry.come_in(self.entry.work.at(self.seconds)))

    def _over(self) -> bool:
        if not self.entry.is_over:
            return False
        if len(self.fleet.ended) >= len(self.entry.entered):
            return True
        if self.fleet.running or self.seconds < self._due.get("life", 0.0):
            return False
        self._due["life"] = self.seconds + self.pace.hourly
        late = self.seconds > self.entry.work.jobs[-1].submit + PATIENCE
        return late or not Job.objects.exclude(state__in=FINAL).exists()

    def _step(self) -> None:
        if self._turn("hourly", self.pace.hourly):
            self._hourly()
        if self._turn("cycle", self.pace.cycle):
            self._cycle()
        self._holding += self._do("report", lambda: self.fleet.end_due(self.seconds))
        if self._holding and self._turn("register", self.pace.register):
            self._do("register", self._register)
        self._do("claim", lambda: self.fleet.claim_due(self.seconds))
        self._do("heartbeat", lambda: self.fleet.beat_due(self.seconds))
        self._tell()

    def _next(self) -> float:
        """The next tick at which there is something to do."""
        wanted = [self.seconds + self.pace.cycle]
        if (end := self.fleet.next_at()) is not None:
            wanted.append(end)
        if self._holding:
            wanted.append(self._due["register"])
        wanted += [self._due["cycle"], self._due["hourly"]]
        tick = self.pace.tick
        return max(self.seconds + tick, tick * math.ceil(min(wanted) / tick))

    def _turn(self, what: str, every: float) -> bool:
        if self.seconds < self._due.get(what, 0.0):
            return False
        self._due[what] = self.seconds + every
        return True

    # -- what the sweeps would do ------------------------------------------------------------------

    def _cycle(self) -> None:
        now = self.entry.work.at(self.seconds)
        self._do("let in", lambda: self.entry.let_in(self.seconds, now=now))
        self._do("submit", lambda: self.entry.come_in(now))
        self._do("broker", self._broker)
        if Share.objects.exclude(parent=None).exists():
            self._do("shares", lambda: shares.run(now))
        self._do("claim", self.fleet.look)
        self._do("fold", self._fold)

    def _broker(self) -> None:
        now = self.entry.work.at(self.seconds)
        for _round in range(ROUNDS):
            if not assign.run(now, seconds=60.0):
                break

    def _fold(self) -> None:
        now = self.entry.work.at(self.seconds)
        counts.fold()
        ends.fold(now)

    def _register(self) -> None:
        now = self.entry.work.at(self.seconds)
        while register.run(now):
            pass
        self._holding = 0

    def _hourly(self) -> None:
        now = self.entry.work.at(self.seconds)
        self._do("nodes", lambda: grid.call(now))
        for name, sweep in (
            ("watch", watch.run),
            ("usage", usage.run),
            ("tally", tally.run),
            ("archive", archive.run),
        ):
            self._do(name, partial(sweep, now))

    # -- how it gets on ----------------------------------------------------------------------------

    def _do(self, what: str, work: Callable[[], int | None]) -> int:
        begun = time.monotonic()
        try:
            return work() or 0
        except Incomplete as error:
            log.warning("replay_incomplete", extra={"what": what, "error": str(error)})
            return error.rows
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.monotonic() - begun

    def _tell(self) -> None:
        if self.seconds - self._told >= 24 * HOUR:
            self._told = self.seconds
            self.say(
                f"day {self.seconds / 86_400:.0f}: {len(self.entry.entered):,} in,"
                f" {self.fleet.running:,} with pilots, {len(self.fleet.ended):,} ended"
            )
