"""Links as a matrix, from and to, with how well they do; and the same numbers added up."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min, Sum
from django.urls import reverse

from datasets.models import TransferQueue
from monitor.ddm.scope import LEVELS, NO_SOURCE, NOWHERE, Scope
from monitor.templatetags.monitor import size

GOOD, FAIR = 95, 80  # percent of tries that bring the file
SHOWN_ROWS, SHOWN_COLUMNS = 30, 14
NUMBERS = ("done", "failed", "tries", "bytes", "seconds", "queued", "copying", "trying", "stuck")


@dataclass(kw_only=True)
class Numbers:
    """What was moved and what waits; `tries` are those that failed."""

    done: int = 0
    failed: int = 0
    tries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    queued: int = 0
    copying: int = 0
    trying: int = 0  # of those queued or copying: a try has failed
    stuck: int = 0
    span: float = 1.0  # seconds of the window
    latest: dt.datetime | None = None
    oldest: dt.datetime | None = None

    def add(self, other: Numbers) -> None:
        """Add up."""
        self.done += other.done  # said one by one: a page adds up thousands of links
        self.failed += other.failed
        self.tries += other.tries
        self.bytes += other.bytes
        self.seconds += other.seconds
        self.queued += other.queued
        self.copying += other.copying
        self.trying += other.trying
        self.stuck += other.stuck
        if other.latest and (self.latest is None or other.latest > self.latest):
            self.latest = other.latest
        if other.oldest and (self.oldest is None or other.oldest < self.oldest):
            self.oldest = other.oldest

    @property
    def efficiency(self) -> float | None:
        """done / (done + tries that failed), in percent; None where nothing was tried."""
        tried = self.done + self.tries
        return 100 * self.done / tried if tried else None

    @property
    def lamp(self) -> str:
        """The look of the efficiency: colour and shape."""
        if self.efficiency is None:
            return "late" if self.trying else ""
        if self.efficiency >= GOOD:
            return "ok"
        return "late" if self.efficiency >= FAIR else "failed"

    @property
    def text(self) -> str:
        """The efficiency in words; never rounded up to 100."""
        if self.efficiency is None:
            return "trying" if self.trying else "waiting" if self.waiting else ""
        return f"{int(self.efficiency)} %"

    @property
    def waiting(self) -> int:
        return self.queued + self.copying

    @property
    def throughput(self) -> float:
        """Bytes a second, over the window."""
        return self.bytes / self.span

    @property
    def pace(self) -> str:
        """The throughput in words."""
        return f"{size(round(self.throughput))}/s" if self.bytes else ""

    @property
    def empty(self) -> bool:
        return not (self.done or self.failed or self.tries or self.waiting)

    def as_json(self) -> dict[str, Any]:
        """The facts: efficiency in percent, throughput in bytes a second."""
        return {
            "efficiency": None if self.efficiency is None else round(self.efficiency, 2),
            "throughput": round(self.throughput, 1),
            **{name: getattr(self, name) for name in NUMBERS},
        }


@dataclass(frozen=True, kw_only=True)
class Side:
    """A row or a column: its name, where it leads, and its numbers."""

    name: str
    url: str
    all: Numbers


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A link, and where it leads: the next level, or its errors."""

    numbers: Numbers
    url: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The busiest rows and columns; sums are of all, and `links` has every one."""

    rows: Sequence[tuple[Side, Sequence[Cell]]]
    columns: Sequence[Side]
    all: Numbers
    n_rows: int
    n_columns: int
    links: Mapping[tuple[str, str], Numbers]

    @property
    def cut(self) -> bool:
        """Whether there are more than are shown."""
        return self.n_rows > len(self.rows) or self.n_columns > len(self.columns)

    def as_rows(self) -> list[dict[str, Any]]:
        """Every link."""
        return [
            {"source": source, "destination": destination, **numbers.as_json()}
            for (source, destination), numbers in sorted(self.links.items())
        ]


def read(scope: Scope) -> Matrix:
    """The links of the scope, on its level."""
    links: dict[tuple[str, str], Numbers] = {}
    for row in (*_ended(scope), *_waiting(scope)):
        ends = (
            scope.places.label(row.pop("source"), scope.by),
            scope.places.label(row.pop("destination"), scope.by),
        )
        links.setdefault(ends, Numbers(span=scope.seconds)).add(Numbers(**row))
    sides = tuple(_sums(scope, links, nr) for nr in (0, 1))
    rows, columns = (_busiest(sums) for sums in sides)
    return Matrix(
        rows=[
            (
                _side(scope, "source", name, sides[0][name]),
                [_cell(scope, name, other, links) for other in columns[:SHOWN_COLUMNS]],
            )
            for name in rows[:SHOWN_ROWS]
        ],
        columns=[
            _side(scope, "destination", name, sides[1][name]) for name in columns[:SHOWN_COLUMNS]
        ],
        all=_total(scope, links.values()),
        n_rows=len(rows),
        n_columns=len(columns),
        links=links,
    )


def _ended(scope: Scope) -> list[dict[str, Any]]:
    rows = scope.sums.values_list("source", "destination")
    sums = (Sum("done"), Sum("failed"), Sum("tries"), Sum("bytes"), Sum("seconds"), Max("hour"))
    summed = rows.annotate(**{f"n{nr}": one for nr, one in enumerate(sums)})
    # PostgreSQL's sum of bigint is numeric
    return [
        {
            "source": source,
            "destination": destination,
            "done": done,
            "failed": failed,
            "tries": tries,
            "bytes": int(size),
            "seconds": seconds,
            "latest": latest,
        }
        for source, destination, done, failed, tries, size, seconds, latest in summed
    ]


def _waiting(scope: Scope) -> list[dict[str, Any]]:
    rows = scope.of(TransferQueue.objects.order_by()).values(
        "source", "destination", "state", "reason"
    )
    return [
        {
            "source": row["source"],
            "destination": row["destination"],
            row["state"]: row["count"],
            "trying": row["count"] if row["reason"] else 0,
            "stuck": row["long"],
            "oldest": row["first"],
        }
        for row in rows.annotate(count=Sum("n"), long=Sum("stuck"), first=Min("oldest"))
    ]


def _sums(scope: Scope, links: Mapping[tuple[str, str], Numbers], nr: int) -> dict[str, Numbers]:
    sums: dict[str, Numbers] = defaultdict(lambda: Numbers(span=scope.seconds))
    for ends, numbers in links.items():
        sums[ends[nr]].add(numbers)
    return dict(sums)


def _total(scope: Scope, links: Iterable[Numbers]) -> Numbers:
    whole = Numbers(span=scope.seconds)
    for numbers in links:
        whole.add(numbers)
    return whole


def _busiest(sums: Mapping[str, Numbers]) -> list[str]:
    """By how much was tried and waits; what is not a place comes last."""

    def rank(name: str) -> tuple[bool, int, str]:
        numbers = sums[name]
        tried = numbers.done + numbers.tries + numbers.waiting
        return name in (NO_SOURCE, NOWHERE), -tried, name

    return sorted(sums, key=rank)


def _next(scope: Scope) -> str:
    at = LEVELS.index(scope.by)
    return LEVELS[min(at + 1, len(LEVELS) - 1)]


def _end(scope: Scope, name: str) -> str:
    """As the address names an end; '' for what is no place."""
    if name == NO_SOURCE:
        return NO_SOURCE
    return "" if name == NOWHERE else f"{scope.by}:{name}"


def _side(scope: Scope, side: str, name: str, numbers: Numbers) -> Side:
    end = _end(scope, name)
    url = reverse("monitor:ddm") + scope.query(**{side: end, "by": _next(scope)}) if end else ""
    return Side(name=name, url=url, all=numbers)


def _cell(
    scope: Scope, source: str, destination: str, links: Mapping[tuple[str, str], Numbers]
) -> Cell:
    numbers = links.get((source, destination))
    if numbers is None or numbers.empty:
        return Cell(numbers=Numbers(), url="")
    ends = {"source": _end(scope, source), "destination": _end(scope, destination)}
    if not all(ends.values()):
        return Cell(numbers=numbers, url="")
    last = scope.by == LEVELS[-1]
    page = "monitor:ddm_errors" if last else "monitor:ddm"
    return Cell(numbers=numbers, url=reverse(page) + scope.query(**ends, by=_next(scope)))
