"""CPU and memory of a job over time, from the samples that its heartbeats brought, for a plot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from jobs import samples


class Sample(NamedTuple):
    """One heartbeat: CPU seconds since the start of the attempt, memory in MB."""

    attempt_nr: int
    at: dt.datetime
    cpu_seconds: int | None
    rss_mb: int | None


WHAT = {"memory": "MB", "cpu": "cores busy"}
Values = list[float | None]


def read(panda_id: int) -> list[Sample]:
    """The samples of a job, oldest first."""
    return [
        Sample(row["attempt_nr"], row["at"], row["cpu_consumption_time"], row["rss_mb"])
        for row in samples.of_job(panda_id)
    ]


def plot(found: Sequence[Sample], what: str) -> dict[str, Any]:
    """As `plots.js` draws lines: one an attempt, all on one axis of time."""
    times = sorted({round(sample.at.timestamp()) for sample in found})
    values_of: Callable[[Sequence[Sample]], dict[int, float | None]]
    values_of = _memory if what == "memory" else _cores
    series = []
    for attempt, mine in groupby(found, key=lambda sample: sample.attempt_nr):
        values = values_of(list(mine))
        line: Values = [values.get(at) for at in times]
        series.append({"name": f"attempt {attempt}", "values": line})
    return {"unit": WHAT[what], "x": times, "series": series}


def _memory(mine: Sequence[Sample]) -> dict[int, float | None]:
    return {round(s.at.timestamp()): s.rss_mb for s in mine}


def _cores(mine: Sequence[Sample]) -> dict[int, float | None]:
    """CPU seconds for each second between two heartbeats: 1 is one core that never waits."""
    found: dict[int, float | None] = {}
    last: Sample | None = None
    for sample in mine:
        if sample.cpu_seconds is None:
            continue
        if last is not None and last.cpu_seconds is not None:
            seconds = (sample.at - last.at).total_seconds()
            spent = sample.cpu_seconds - last.cpu_seconds
            if seconds > 0 and spent >= 0:
                found[round(sample.at.timestamp())] = round(spent / seconds, 3)
        last = sample
    return found


def rows(found: Sequence[Sample]) -> list[dict[str, Any]]:
    """The same numbers as a table."""
    return [
        {
            "attempt_nr": sample.attempt_nr,
            "at": sample.at,
            "cpu_seconds": sample.cpu_seconds,
            "rss_mb": sample.rss_mb,
        }
        for sample in found
    ]
