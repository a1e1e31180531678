"""What the plots over time show: sums of a bucket, and the lines that are made of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor.plots.models import EndedRoll, LiveRoll

Sums = Mapping[str, float]  # by column
# Of the sums of a bucket and its weight (hours, or looks) comes its value; None: there is none.
Value = Callable[[Sums, float], float | None]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line: its name, its value, and the state whose colour it has."""

    name: str
    value: Value
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A plot: its table, the columns (name: SQL of the sum), the weight of a bucket, its lines.

    The first line is what is drawn place by place. added: values of places may be added up.
    least: the smallest buckets that are read (s).
    """

    unit: str
    table: str
    columns: Mapping[str, str]
    weight: str
    least: int
    lines: Sequence[Line]
    added: bool = True


def per_unit(*columns: str, scale: float = 1) -> Value:
    """The sum of columns by the hour, or by the look."""
    return lambda sums, weight: sum(sums.get(name, 0) for name in columns) / scale / weight


def share(part: str, *whole: str) -> Value:
    """Percent that a column is of others; None of nothing."""

    def percent(sums: Sums, weight: float) -> float | None:
        total = sum(sums.get(name, 0) for name in whole)
        return 100 * sums.get(part, 0) / total if total else None

    return percent


def live(states: Sequence[str], *, least: int, by: bool) -> Measure:
    """Jobs in these states, each a line; of places (`by`) all of the states together."""
    together = Line(name=", ".join(states), value=per_unit(*states))
    alone = [Line(name=state, state=state, value=per_unit(state)) for state in states]
    return Measure(
        unit="jobs",
        table=LiveRoll._meta.db_table,
        columns={state: f"sum({state} * samples)" for state in states},
        weight="sum(samples)",
        least=least,
        lines=[together] if by else alone,
    )


def _ended(unit: str, *lines: Line, added: bool = True) -> Measure:
    return Measure(
        unit=unit,
        table=EndedRoll._meta.db_table,
        columns={name: f"sum({name})" for name in EndedRoll.SUMS},
        weight="sum(span) / 3600.0",
        least=1,  # the part of an hour that goes on
        lines=lines,
        added=added,
    )


def _in_vain(sums: Sums, hours: float) -> float:
    return max(sums.get("calls", 0) - sums.get("handed", 0), 0) / hours


ENDED = {
    "ended": _ended(
        "jobs / h",
        *(
            Line(name=state, state=state, value=per_unit(state))
            for state in ("finished", "failed", "cancelled")
        ),
    ),
    "failures": _ended(
        "%",
        Line(name="failed", state="failed", value=share("failed", "finished", "failed")),
        Line(name="by the payload", value=share("payload_failed", "finished", "failed")),
        added=False,
    ),
    "dispatch": _ended(
        "per hour",
        Line(name="jobs handed out", value=per_unit("handed")),
        Line(name="calls without a job", value=_in_vain),
    ),
    "efficiency": _ended(
        "%",
        Line(name="CPU efficiency", value=share("cpu_seconds", "core_seconds")),
        added=False,
    ),
    "bytes": _ended("GB / h", Line(name="moved", value=per_unit("moved_bytes", scale=1e9))),
}
