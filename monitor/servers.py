"""The state of the background work, from what each sweep has written about itself. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.words import ago
from pandasite.base.health import late_sweeps, sweep_ages
from pandasite.base.models import SweepRun


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep: when it last went well, how often it should run (s), and how that is going."""

    name: str
    state: str  # ok, late or failed
    every: float
    good_at: dt.datetime | None = None
    host: str = ""
    rows: int = 0
    error: str = ""

    @property
    def short(self) -> str:
        """The name without its floor."""
        return self.name.rpartition(".")[2].replace("_", " ")

    @property
    def details(self) -> str:
        """All of it in one sentence."""
        where = f" on {self.host}" if self.host else ""
        good = f"last went well {self.good_at:%H:%M:%S} UTC{where}" if self.good_at else "never ran"
        return f"{self.name}: {self.state}, due every {ago(self.every)}, {good}"

    def as_json(self) -> dict[str, Any]:
        """The facts; `every` in seconds."""
        return {
            "name": self.name,
            "state": self.state,
            "every": self.every,
            "last_ok_at": self.good_at,
            "host": self.host,
            "rows": self.rows,
            "error": self.error,
        }


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine, and how many sweeps had their latest round there."""

    name: str
    sweeps: int


def hosts(ran: Sequence[Sweep]) -> list[Host]:
    """The machines of the latest rounds, by name."""
    counts = Counter(sweep.host for sweep in ran if sweep.host)
    return [Host(name=name, sweeps=counts[name]) for name in sorted(counts)]


def sweeps(
    runs: Mapping[str, SweepRun],
    expected: Mapping[str, float],
    *,
    now: dt.datetime,
    uptime: float,
) -> list[Sweep]:
    """One entry per expected sweep (name to seconds between runs), in that order.

    Failed: its last run ended with an error. Late: what it means to /healthz/ready, no good run
    within three rounds.
    """
    late = late_sweeps(expected, sweep_ages(expected, runs, now=now), uptime=uptime)
    return [
        _sweep(name, every, runs.get(name), late=name in late) for name, every in expected.items()
    ]


def _sweep(name: str, every: float, run: SweepRun | None, *, late: bool) -> Sweep:
    if run is None:
        return Sweep(name=name, every=every, state="late" if late else "ok")
    failed = run.ended_at is not None and not run.ok
    return Sweep(
        name=name,
        every=every,
        state="failed" if failed else "late" if late else "ok",
        good_at=run.last_ok_at,
        host=run.host,
        rows=run.rows,
        error=run.error,
    )
