"""Whose loss an error is, and what a shifter is told of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jobs.ends import Sum

# In the order of the page of 2009. `trans` is what the dashboard calls trf: the payload's own.
CLASSES = {
    "trans": "the payload's own: its transformation failed",
    "panda": "pilot, dispatch, brokerage and the server's limits",
    "ddm": "data: input that was not there, output that could not be stored or registered",
    "other": "supervisors, and failures without any code",
}
_CLASS_OF = {
    "trans": "trans",
    "exe": "trans",
    "ddm": "ddm",
    "pilot": "panda",
    "job_dispatcher": "panda",
    "brokerage": "panda",
    "task_buffer": "panda",
}
# What a pilot says of files that it could not read or store: jobs/error_codes.csv.
PILOTS_DATA = frozenset({
    1099, 1100, 1103, 1133, 1137, 1141, 1145, 1151, 1152, 1171, 1172, 1180, 1181, 1242, 1313, 1316,
    1321, 1322, 1323, 1326, 1327, 1329, 1331, 1333, 1338, 1361, 1362, 1364, 1368, 1374, 1383,
})  # fmt: skip


def loss_class(component: str, code: int) -> str:
    """One of CLASSES."""
    if component == "pilot" and code in PILOTS_DATA:
        return "ddm"
    return _CLASS_OF.get(component, "other")


@dataclass(frozen=True, kw_only=True)
class Loss:
    """CPU time of failed jobs of a class, in seconds, and its share of all wall time."""

    name: str
    lost_s: int
    jobs: int
    percent: float | None  # None: nothing ran

    @property
    def help(self) -> str:
        return CLASSES[self.name]

    @property
    def hours(self) -> float:
        return self.lost_s / 3600

    def as_json(self) -> dict[str, Any]:
        """CPU in hours."""
        return {"cpu_hours": round(self.hours, 1), "percent": self.percent, "jobs": self.jobs}


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of a span: jobs by final state, wall time times cores (s), and the losses by class."""

    finished: int
    failed: int
    cancelled: int
    busy_s: int
    losses: tuple[Loss, ...]

    @property
    def failed_percent(self) -> float | None:
        """Failed of all that finished or failed, one decimal; None where nothing did."""
        return percent(self.failed, self.finished + self.failed)

    @property
    def busy_hours(self) -> float:
        return self.busy_s / 3600

    @property
    def lost_s(self) -> int:
        return sum(loss.lost_s for loss in self.losses)


def percent(part: float, whole: float) -> float | None:
    """To one decimal, halves up, as people do; None of nothing."""
    return math.floor(1000 * part / whole + 0.5) / 10 if whole > 0 else None


def totals(sums: Iterable[Sum]) -> Totals:
    """Of sums whose keys end in (state, component, code)."""
    ended = {"finished": 0, "failed": 0, "cancelled": 0}
    lost, jobs = dict.fromkeys(CLASSES, 0), dict.fromkeys(CLASSES, 0)
    busy = 0
    for one in sums:
        state, component, code = one.key[-3:]
        busy += one.busy_s
        ended[state] += one.jobs
        if state == "failed":
            name = loss_class(component, code)
            lost[name] += one.lost_s
            jobs[name] += one.jobs
    return Totals(
        **ended,
        busy_s=busy,
        losses=tuple(
            Loss(name=name, lost_s=lost[name], jobs=jobs[name], percent=percent(lost[name], busy))
            for name in CLASSES
        ),
    )
