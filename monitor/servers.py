"""The state of the background work, from what each sweep has written about itself. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.words import ago
from pandasite.base.health import late_sweeps, sweep_ages
from pandasite.base.models import SweepRun


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep: when it last ended, how often it should run (s), and how that is going."""

    name: str
    state: str  # ok, late or failed
    every: float
    ended_at: dt.datetime | None = None
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
        ended = (
            f"last ended {self.ended_at:%H:%M:%S} UTC{where}" if self.ended_at else "never ended"
        )
        return f"{self.name}: {self.state}, due every {ago(self.every)}, {ended}"

    def as_json(self) -> dict[str, Any]:
        """The facts; `every` in seconds."""
        return {
            "name": self.name,
            "state": self.state,
            "every": self.every,
            "ended_at": self.ended_at,
            "host": self.host,
            "rows": self.rows,
            "error": self.error,
        }


def sweeps(
    runs: Mapping[str, SweepRun],
    expected: Mapping[str, float],
    *,
    now: dt.datetime,
    uptime: float,
) -> list[Sweep]:
    """One entry per expected sweep (name to seconds between runs), in that order.

    Late means what it means to /healthz/ready: three rounds missed.
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
        state="late" if late else "failed" if failed else "ok",
        ended_at=run.ended_at,
        host=run.host,
        rows=run.rows,
        error=run.error,
    )
