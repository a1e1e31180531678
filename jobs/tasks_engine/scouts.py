"""What scouts came to, and what the rest of the jobs is to have after that. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobs.tasks_engine.spec import TaskSpec

MB = 10**6
# What was measured is taken times this: few jobs were looked at, and the next ones may be larger.
FACTORS: Mapping[str, float] = {
    "memory_mb": 1.25,
    "cpu_s_per_event": 2.0,
    "output_mb_per_event": 1.5,
}
LEAST_CPU_S = 60  # a job that has a limit has this much


class Scout(NamedTuple):
    """A scout that finished: what it read, used and made."""

    n_events: int
    n_files: int
    max_rss_mb: int
    cpu_s: int
    output_bytes: int


class Piece(NamedTuple):
    """What a job's needs depend on."""

    n_events: int
    n_files: int
    input_bytes: int
    merges: bool = False


def measure(scouts: Sequence[Scout], *, made: int) -> dict[str, Any]:
    """The largest values of the scouts that finished, with their factors and what becomes of them.

    `made` is how many scouts there were. Where events are not known, `per` says that a file stands
    for one. What no scout reported is left out.
    """
    by_events = all(scout.n_events for scout in scouts)
    units = [scout.n_events if by_events else max(1, scout.n_files) for scout in scouts]
    found = {
        "memory_mb": max(scout.max_rss_mb for scout in scouts),
        "cpu_s_per_event": max(s.cpu_s / n for s, n in zip(scouts, units, strict=True)),
        "output_mb_per_event": max(
            s.output_bytes / MB / n for s, n in zip(scouts, units, strict=True)
        ),
    }
    lines: dict[str, Any] = {name: _line(name, value) for name, value in found.items() if value > 0}
    return {
        "scouts": made,
        "finished": len(scouts),
        "per": "event" if by_events else "file",
        **lines,
    }


def _line(name: str, value: float) -> dict[str, float]:
    factor = FACTORS[name]
    whole = name == "memory_mb"
    taken = math.ceil(value * factor) if whole else _three_digits(value * factor)
    return {"measured": value if whole else _three_digits(value), "factor": factor, "set": taken}


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def needs(spec: TaskSpec, measured: Mapping[str, Any], piece: Piece) -> dict[str, int]:
    """Columns of a job: memory and disk in MB, time in s; 0 is no wish.

    What was measured goes before what was asked for.
    """
    if piece.merges:
        disk = max(spec.disk_mb, math.ceil(2 * piece.input_bytes / MB))
        return {"min_ram_count": spec.memory_mb, "max_disk_count": disk, "max_cpu_count": 0}
    units = piece.n_events if measured.get("per") == "event" else max(1, piece.n_files)
    if not measured:
        units = piece.n_events or piece.n_files
    cpu = _set(measured, "cpu_s_per_event", spec.cpu_s_per_event) * units
    output = _set(measured, "output_mb_per_event", 0) * units
    disk = math.ceil(piece.input_bytes / MB + output) if output else 0
    return {
        "min_ram_count": int(_set(measured, "memory_mb", spec.memory_mb)),
        "max_disk_count": max(spec.disk_mb, disk),
        "max_cpu_count": _seconds(cpu, spec.wall_s),
    }


def in_words(measured: Mapping[str, Any]) -> str:
    """What was set, for the history: `; memory 1000 MB (800 x 1.25)`; empty for nothing."""
    words = {"memory_mb": "MB of memory"}
    per = measured.get("per", "event")
    words |= {"cpu_s_per_event": f"s of CPU time per {per}", "output_mb_per_event": f"MB per {per}"}
    lines = [
        f"{line['set']:g} {name} ({line['measured']:g} x {line['factor']:g})"
        for key, name in words.items()
        if (line := measured.get(key))
    ]
    return "; " + ", ".join(lines) if lines else ""


def _set(measured: Mapping[str, Any], name: str, asked: float) -> float:
    return float(measured[name]["set"]) if name in measured else asked


def _seconds(cpu: float, wall_s: int) -> int:
    """A pilot ends a job behind this time: the longer of what is known; none when nothing is."""
    return max(wall_s, max(LEAST_CPU_S, math.ceil(cpu)) if cpu else 0)
