"""What the figures share: the states of the database, pgbench whose rows are counted, HTTP."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks import fill, pgbench
from benchmarks.bed import Bed, Data, number
from benchmarks.calls import Calls
from benchmarks.grid import CAP, Grid
from benchmarks.load import Load, Request, run_closed
from benchmarks.meter import Meter, Usage

SITES = 100
CLIENTS = 8
MANY_CLIENTS = 32
WARM_UP = 400  # requests
LEAST = 1500  # answers of a window, on a machine that others use too
_FINISHED = """
SELECT coalesce(sum(n), 0) FROM (SELECT state, n FROM jobs_jobcount
  UNION ALL SELECT state, n FROM jobs_countdelta) both_tables WHERE state = 'finished'
"""
_PANDA_ID = re.compile(rb'"panda_id": ?(\d+)')


def activated(n: int, name: str) -> Data:
    """`n` jobs that pilots may claim, at 100 sites, whose caps are counted and never reached."""
    return Data(name, SITES, lambda grid: fill.add_activated(n, grid), cap=CAP)


@dataclass(frozen=True)
class Statements:
    """pgbench's run; the rate is that of rows that really changed."""

    rate: float
    changed: int
    run: pgbench.Run
    usage: Usage

    @property
    def cpu(self) -> dict[str, float]:
        """Microseconds of CPU per row, pgbench's own among them."""
        return self.usage.per(self.changed)

    def as_json(self) -> dict[str, Any]:
        """For the details of a figure."""
        return {
            "rate": self.rate,
            "statements": self.run.done,
            "rows_changed": self.changed,
            "latency_ms": self.run.latency_ms,
            "cpu_us": self.cpu,
            "foreign_cores": self.usage.foreign,
        }


def statements(
    bed: Bed, script: str, *, clients: int, transactions: int, changed: str
) -> Statements:
    """Run a script; `changed` is the query that counts the rows that it has changed so far."""
    before, meter = number(changed), Meter(bed.stack.running)
    run = pgbench.run(bed.home, script, clients=clients, transactions=transactions)
    usage, rows = meter.read(), number(changed) - before
    return Statements(rate=run.rate * rows / run.done, changed=rows, run=run, usage=usage)


@dataclass
class Handed:
    """The jobs that claims were answered with, and what was wrong with them."""

    sites: int
    ids: set[int] = field(default_factory=set)
    none: int = 0
    twice: int = 0
    elsewhere: int = 0

    def heard(self, site: int, status: int, body: bytes) -> None:
        """An answer to a claim at the site of that number."""
        if status != 200:
            return
        found = _PANDA_ID.findall(body)
        if not found:
            self.none += 1
        for text in found:
            panda_id = int(text)
            self.twice += panda_id in self.ids
            self.elsewhere += (panda_id - fill.FIRST) % self.sites != site
            self.ids.add(panda_id)


@dataclass(frozen=True)
class Claims:
    """A window of claims over HTTP; `rate` counts jobs that were handed over, per second."""

    rate: float
    handed: Handed
    load: Load
    usage: Usage
    taken: int

    @property
    def right(self) -> bool:
        """Each answer a job of that site, none twice, and as many as the database gave away."""
        handed = self.handed
        wrong = handed.none + handed.twice + handed.elsewhere + self.load.tally.errors
        return not wrong and self.taken == len(handed.ids)

    @property
    def cpu(self) -> dict[str, float]:
        """Microseconds of CPU per job."""
        return self.usage.per(len(self.handed.ids))

    def as_json(self) -> dict[str, Any]:
        """For the details of a figure."""
        wrong = {
            "without_job": self.handed.none,
            "handed_twice": self.handed.twice,
            "at_another_site": self.handed.elsewhere,
            "taken_in_database": self.taken,
        }
        return {
            "rate": self.rate,
            "cpu_us": self.cpu,
            "cores": self.usage.cores,
            "foreign_cores": self.usage.foreign,
            "resent": self.load.resent,
            **self.load.tally.as_json(),
            **wrong,
        }


def claims(
    bed: Bed, grid: Grid, *, connections: int, jobs: int, sites: int = SITES, **more: Any
) -> Claims:
    """Claims at the first sites of the grid, until time is over or `jobs` are asked for in all.

    The web server must run. `more` is added to what the pilots say; `pilots`: so many at each site.
    No pilot may ask more often than the product allows it to.
    """
    calls = Calls(bed.host, bed.port)
    requests = calls.claims(grid.sites[:sites], **more)
    a_claim = more.get("n_jobs", 1)
    warm = partial(run_closed, bed.host, bed.port, connections=connections)
    ignored = Handed(sites)
    warming = min(WARM_UP, jobs // 4) // a_claim
    warm(itertools.islice(requests, warming), heard=ignored.heard, seconds=60)
    before, handed, meter = taken(), Handed(sites), bed.meter()
    load = run_closed(
        bed.host,
        bed.port,
        itertools.islice(requests, jobs // a_claim - warming),
        connections=connections,
        heard=handed.heard,
        seconds=bed.seconds,
        least=LEAST // a_claim,
    )
    usage = meter.read()
    rate = len(handed.ids) / load.seconds
    return Claims(rate, handed, load, usage, taken=taken() - before)


def taken() -> int:
    """Jobs that a pilot has been given."""
    return number("SELECT count(*) FROM jobs_job WHERE state = 'sent'")


def finished() -> int:
    """Finished jobs by the counts that the dashboard reads, wherever the jobs are kept.

    From within an asyncio loop in a thread: Django has no other way, and the loop goes on.
    """
    return number(_FINISHED)


def window(
    bed: Bed, requests: Iterator[Request], *, connections: int, least: int = LEAST
) -> tuple[Load, Usage]:
    """Requests of any other kind, for one window."""
    meter = bed.meter()
    load = run_closed(
        bed.host,
        bed.port,
        requests,
        connections=connections,
        heard=lambda tag, status, body: None,
        seconds=bed.seconds,
        least=least,
    )
    return load, meter.read()
