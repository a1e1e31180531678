"""A row of the dashboard's tables: its numbers, and the cells that show and link them. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from django.urls import reverse

from jobs.counts import Count
from jobs.states import FINAL, JobState
from monitor.words import COLUMNS, SEED_ORDER, STALE_HOURS

MOVING = JobState.TRANSFERRING
FAILURE_PERCENT = 20  # a higher rate needs attention
FEW_JOBS = 5  # of fewer ended jobs no rate is made


@dataclass(kw_only=True)
class Row:
    """The numbers of a cloud or a site; rows are added up to totals."""

    name: str
    nodes: int = 0
    pilots: int = 0
    latest: dt.datetime | None = None
    states: Counter[str] = field(default_factory=Counter)
    stale_transferring: int = 0  # part of states["transferring"]
    payload_failed: int = 0  # part of states["failed"]

    @classmethod
    def total(cls, name: str, rows: Iterable[Row]) -> Self:
        """The sum of rows; `latest` is the latest of all."""
        whole = cls(name=name)
        for row in rows:
            whole.nodes += row.nodes
            whole.pilots += row.pilots
            whole.states.update(row.states)
            whole.stale_transferring += row.stale_transferring
            whole.payload_failed += row.payload_failed
            whole.latest = _later(whole.latest, row.latest)
        return whole

    def count(self, count: Count) -> None:
        """Take one number of `jobs.counts` in."""
        self.states[count.state] += count.n
        self.latest = _later(self.latest, count.latest)
        if count.payload_error:
            self.payload_failed += count.n

    @property
    def jobs(self) -> int:
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """What the failure rate is a rate of; a cancelled job is nobody's failure."""
        return self.states[JobState.FINISHED] + self.states[JobState.FAILED]

    @property
    def tot(self) -> int | None:
        """Failed of all that ended, whole percent; None where nothing ended."""
        return _percent(self.states[JobState.FAILED], self.ended)

    @property
    def trf(self) -> int | None:
        """The payload's share of `tot`."""
        return _percent(self.payload_failed, self.ended)

    @property
    def other(self) -> int | None:
        """The rest, so that both add up to `tot`."""
        return None if self.tot is None or self.trf is None else self.tot - self.trf

    @property
    def fails_a_lot(self) -> bool:
        """Whether somebody should look: a rate over the limit, of more than a few jobs."""
        return self.ended >= FEW_JOBS and (self.tot or 0) > FAILURE_PERCENT

    def as_json(self) -> dict[str, Any]:
        """The columns of the tables by their keys; None = empty cell."""
        return {
            "name": self.name,
            "nodes": self.nodes,
            "jobs": self.jobs,
            "latest": self.latest,
            "pilots_3h": self.pilots,
            **{state: self.states[state] for state in SEED_ORDER},
            "transferring_over_36h": self.stale_transferring,
            "tot_pct": self.tot,
            "trf_pct": self.trf,
            "other_pct": self.other,
        }


def _later(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _percent(part: int, whole: int) -> int | None:
    """Rounded to the nearest, halves up, as people do."""
    return (200 * part + whole) // (2 * whole) if whole else None


class Cell(NamedTuple):
    """A cell: its text, where it leads, and its look (`zero`, `bad`, `failed` or nothing)."""

    key: str
    text: str
    url: str = ""
    look: str = ""
    after: str = ""  # a second number, shown behind a slash
    after_url: str = ""
    time: dt.datetime | None = None  # the text is this time


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where the numbers of a row lead. A page has thousands: their start is made once a row."""

    start: str
    window: str  # such as 12h
    pilots: str = ""  # where nodes and pilots lead

    @classmethod
    def of(cls, *, window: str, pilots: str = "", **filters: str) -> Self:
        """`filters` are those that all job lists of the row share: cloud, site, kind."""
        url = jobs_url(**filters)
        return cls(start=url + ("&" if "?" in url else "?"), window=window, pilots=pilots)

    def jobs(self, query: str) -> str:
        """The job list of this row and further filters, which need no quoting."""
        return self.start + query

    def state(self, state: str) -> str:
        """The list behind a state's number; ended jobs are those of the window."""
        ended = f"&ended={self.window}" if state in FINAL else ""
        return f"{self.start}state={state}{ended}"


def jobs_url(**filters: str) -> str:
    """The job list with these filters; empty ones are left out."""
    query = urlencode({name: value for name, value in filters.items() if value})
    return reverse("monitor:jobs") + (f"?{query}" if query else "")


def cells(row: Row, links: Links) -> list[Cell]:
    """The cells of a row in the order of COLUMNS."""
    return [_cell(key, row, links) for key, _title, _help in COLUMNS]


def _cell(key: str, row: Row, links: Links) -> Cell:
    if key in ("nodes", "pilots"):
        return _number(key, getattr(row, key), links.pilots)
    if key == "jobs":
        return _number(key, row.jobs, links.jobs(f"window={links.window}"))
    if key == "latest":
        return Cell(key, f"{row.latest:%m-%d %H:%M}" if row.latest else "", time=row.latest)
    if key in ("tot", "trf", "other"):
        return _share(key, row, links)
    if key == MOVING:
        return _transferring(row, links)
    return _number(key, row.states[key], links.state(key))


def _number(key: str, n: int, url: str) -> Cell:
    """A zero leads nowhere: there is nothing to list."""
    if not n:
        return Cell(key, "0", look="zero")
    return Cell(key, str(n), url, look="failed" if key == JobState.FAILED else "")


def _transferring(row: Row, links: Links) -> Cell:
    first, stale = _number(MOVING, row.states[MOVING], links.state(MOVING)), row.stale_transferring
    idle = f"state={MOVING}&idle={STALE_HOURS[MOVING]}h"
    return first._replace(after=str(stale), after_url=links.jobs(idle) if stale else "")


def _share(key: str, row: Row, links: Links) -> Cell:
    percent = getattr(row, key)
    if percent is None:
        return Cell(key, "")
    failed = row.states[JobState.FAILED]
    there = {"tot": failed, "trf": row.payload_failed, "other": failed - row.payload_failed}[key]
    cause = "" if key == "tot" else f"&cause={key}"
    look = "bad" if key == "tot" and row.fails_a_lot else "" if percent else "zero"
    return Cell(key, str(percent), links.state("failed") + cause if there else "", look)
