"""The state of servers and sweeps, from what each has written about itself. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.operations.database import Connections
from monitor.words import ago
from pandasite.base.health import late_sweeps, sweep_ages
from pandasite.base.models import ServerProcess, SweepRun
from pandasite.base.presence import BEAT_SECONDS, SILENT


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep: when it last went well, how often it should run (s), and how that is going."""

    name: str
    state: str  # ok, late or failed
    every: float
    good_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    runs: int = 0
    host: str = ""
    rows: int = 0
    error: str = ""

    @property
    def short(self) -> str:
        """The name without its floor."""
        return self.name.rpartition(".")[2].replace("_", " ")

    @property
    def seconds(self) -> float | None:
        """How long the last round took; None while one is under way, and before the first."""
        if self.started_at is None or self.ended_at is None or self.ended_at < self.started_at:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def next_at(self) -> dt.datetime | None:
        """When the timetable sends the next round; None before the first."""
        return self.started_at and self.started_at + dt.timedelta(seconds=self.every)

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
            "seconds": self.seconds,
            "next_at": self.next_at,
            "runs": self.runs,
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
        started_at=run.started_at,
        ended_at=run.ended_at,
        runs=run.runs,
        host=run.host,
        rows=run.rows,
        error=run.error,
    )


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A server in the strip: how it is, and the moment that this was so."""

    name: str
    state: str  # ok, late (some of it is silent) or failed
    at: dt.datetime
    details: str
    why: str = ""  # that is a trouble
    step: str = ""  # what to do when it is not ok

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        return {"name": self.name, "state": self.state, "at": self.at, "details": self.details}


def is_silent(process: ServerProcess, *, now: dt.datetime) -> bool:
    """Whether it has missed three signs of life."""
    return now - process.seen_at > SILENT


def lamps(processes: Iterable[ServerProcess], *, now: dt.datetime) -> list[Lamp]:
    """One lamp per machine and what it does there, and one for the broker as they see it."""
    groups: defaultdict[tuple[str, str, str], list[ServerProcess]] = defaultdict(list)
    for process in processes:
        groups[process.role, process.work, process.host].append(process)
    alive = [p for group in groups.values() for p in group if not is_silent(p, now=now)]
    return [*(_group(group, now=now) for _key, group in sorted(groups.items())), *_broker(alive)]


def database_lamp(found: Connections, *, now: dt.datetime) -> Lamp:
    """The database, which has answered; late when it soon will not, or cannot clean its tables."""
    told, step = [], "see on the page of the servers what it does"
    if found.crowded:
        told.append(f"{found.connections} of {found.connections_max} connections are taken")
    if found.held_up(now) and found.oldest_transaction:
        age = ago((now - found.oldest_transaction).total_seconds())
        told.append(f"a transaction has been open for {age}, so that no table can be cleaned")
        step = "find out whose it is, and end it"
    return Lamp(
        name="database",
        state="late" if told else "ok",
        at=now,
        details=" and ".join(told) or "has answered this page",
        why="when it has no room left, or no order, everything waits",
        step=step,
    )


def _group(group: Sequence[ServerProcess], *, now: dt.datetime) -> Lamp:
    first = group[0]
    silent = [process for process in group if is_silent(process, now=now)]
    does = f"{first.role} {first.work}".strip()
    many = f" x {len(group)}" if len(group) > 1 else ""
    told = f"{len(group)} alive, up since {min(p.started_at for p in group):%m-%d %H:%M} UTC"
    if silent:
        heard = ago((now - max(p.seen_at for p in silent)).total_seconds())
        pids = ", ".join(str(process.pid) for process in silent)
        told = (
            f"no sign of life from {len(silent)} of {len(group)} (process {pids}),"
            f" the last {heard} ago"
        )
    return Lamp(
        name=f"{does} {first.host}{many}",
        state="failed" if len(silent) == len(group) else "late" if silent else "ok",
        at=max(process.seen_at for process in group),
        details=told,
        why=f"it should say every {BEAT_SECONDS} s that it is there",
        step=f"see that {does} runs on {first.host}; one that is gone on purpose leaves"
        " this list after a day",
    )


def _broker(alive: Sequence[ServerProcess]) -> list[Lamp]:
    if not alive:
        return []  # nobody has asked it of late
    deaf = [f"{p.role} {p.pid} on {p.host}" for p in alive if p.broker_ms is None]
    slowest = max((p.broker_ms for p in alive if p.broker_ms is not None), default=0.0)
    told = f"did not answer {', '.join(deaf)}" if deaf else f"answers within {slowest:.1f} ms"
    return [
        Lamp(
            name="broker",
            state="failed" if len(deaf) == len(alive) else "late" if deaf else "ok",
            at=max(p.seen_at for p in alive),
            details=told,
            why="without it news wake no sweep: each waits for its round, and no job is lost",
            step="start it, or see what keeps it from being reached",
        )
    ]
