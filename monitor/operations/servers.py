"""The servers behind the site: processes, sweeps, database and broker, each with its age."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from monitor.bamboo import lamp
from monitor.logger import lamp as logger_lamp
from monitor.operations import database
from monitor.operations.columns import LampColumn, NumberColumn, SizeColumn, SpanColumn, TimeColumn
from monitor.operations.database import Database, TableRow
from monitor.servers import Lamp, Sweep, is_silent, sweeps
from monitor.sheets import Sheet, column
from pandasite.base import health
from pandasite.base.broker import Broker
from pandasite.base.models import ServerProcess, SweepRun


@dataclass(frozen=True, kw_only=True)
class ProcessRow:
    """A process: since when it runs, how it is, and when it last said so. `up` in seconds."""

    state: str
    host: str
    role: str
    work: str
    pid: int
    version: str
    up: float
    started_at: dt.datetime
    seen_at: dt.datetime
    memory_bytes: int
    broker_ms: float | None


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """Messages that no worker has taken yet."""

    queue: str
    waiting: int


@dataclass(frozen=True, kw_only=True)
class Servers:
    """All that the page shows."""

    now: dt.datetime
    processes: Sequence[ProcessRow]
    sweeps: Sequence[Sweep]
    database: Database
    tables: Sequence[TableRow]
    broker: Broker | None
    bamboo: Sequence[Lamp] = ()  # empty: there is no production database
    logger: Lamp | None = None

    @property
    def database_state(self) -> str:
        """As a lamp."""
        return "late" if self.database.crowded or self.database.held_up(self.now) else "ok"

    @property
    def queues(self) -> list[QueueRow]:
        """By name; empty when the broker does not answer."""
        waiting = self.broker.waiting if self.broker else {}
        return [QueueRow(queue=name, waiting=n) for name, n in sorted(waiting.items())]

    def as_json(self) -> dict[str, Any]:
        """The facts; sizes in bytes, spans in seconds."""
        return {
            "processes": [asdict(row) for row in self.processes],
            "sweeps": [sweep.as_json() for sweep in self.sweeps],
            "database": self.database.as_json(),
            "tables": [asdict(row) for row in self.tables],
            "broker": asdict(self.broker) if self.broker else None,
            "bamboo": [lamp.as_json() for lamp in self.bamboo],
            "logger": self.logger.as_json() if self.logger else None,
        }


def read(*, now: dt.datetime, broker: Broker | None) -> Servers:
    """The servers as of `now`; `broker` was asked before, for that may take a second."""
    runs = {run.name: run for run in SweepRun.objects.exclude(name=health.PROBE)}
    uptime = time.monotonic() - health.STARTED
    return Servers(
        now=now,
        processes=[_process(row, now=now) for row in ServerProcess.objects.all()],
        sweeps=sweeps(runs, settings.EXPECTED_SWEEPS, now=now, uptime=uptime),
        database=database.read(),
        tables=database.largest_tables(),
        broker=broker,
        bamboo=lamp.lamps(lamp.look(now=now), now=now),
        logger=logger_lamp.lamp(logger_lamp.look(now=now), now=now),
    )


def _process(row: ServerProcess, *, now: dt.datetime) -> ProcessRow:
    return ProcessRow(
        state="failed" if is_silent(row, now=now) else "ok",
        host=row.host,
        role=row.role,
        work=row.work,
        pid=row.pid,
        version=row.version,
        up=(row.seen_at - row.started_at).total_seconds(),
        started_at=row.started_at,
        seen_at=row.seen_at,
        memory_bytes=row.memory_mb * 2**20,
        broker_ms=row.broker_ms,
    )


class ProcessSheet(Sheet):
    state = column("State", "ok, or failed: silent for three signs of life", kind=LampColumn)
    host = column("Host", "the machine, as PANDASITE_HOST names it")
    role = column("Role", "web answers pages and programs, worker runs sweeps and transfers")
    work = column("Queues", "what a worker takes its messages from")
    pid = column("Process", "its number on that machine", look="n")
    version = column("Version", "of this software")
    up = column("Up", "how long it had run when it was last heard", kind=SpanColumn, look="n")
    started_at = column("Started", "when it was ready for work", kind=TimeColumn)
    seen_at = column("Last sign of life", "when it last said that it is there", kind=TimeColumn)
    memory_bytes = column("Memory", "resident, as of then", kind=SizeColumn, look="n")
    broker_ms = column(
        "Broker (ms)",
        "how soon the broker answered it; empty: it did not",
        kind=NumberColumn,
        look="n",
    )

    class Meta(Sheet.Meta):
        empty_text = (
            "No process has said yet that it is there: start the site with manage.py up,"
            " or web server and workers as docs/production.md tells."
        )


class SweepSheet(Sheet):
    name = column("Sweep", "the task, with its floor")
    state = column("State", "late: no good round within three; failed: the last", kind=LampColumn)
    every = column("Due every", "by the timetable", kind=SpanColumn, look="n")
    good_at = column("Last good round", "when it ended", kind=TimeColumn)
    next_at = column("Next", "when the timetable sends it; news wake it before", kind=TimeColumn)
    seconds = column("Took", "the last round", kind=SpanColumn, look="n")
    rows = column("Changed", "rows in the last round", kind=NumberColumn, look="n")
    runs = column("Rounds", "all that it ever ran", kind=NumberColumn, look="n")
    host = column("On", "the machine of the last round")
    error = column("Last error", "of the last round; empty when it went well", look="wrap")

    class Meta(Sheet.Meta):
        pass


class TableSheet(Sheet):
    name = column("Table", "ended jobs lie in weekly partitions")
    size_bytes = column("Size", "with indexes", kind=SizeColumn, look="n")
    rows = column("Rows", "an estimate", kind=NumberColumn, look="n")
    dead = column("Dead rows", "wait for vacuum", kind=NumberColumn, look="n")
    vacuumed_at = column("Vacuumed", "when that was last done", kind=TimeColumn)
    analyzed_at = column("Analysed", "when the planner last counted", kind=TimeColumn)

    class Meta(Sheet.Meta):
        pass


class QueueSheet(Sheet):
    queue = column("Queue", "of the broker")
    waiting = column("Waiting", "messages that no worker has taken", kind=NumberColumn, look="n")

    class Meta(Sheet.Meta):
        empty_text = "The broker does not answer."


# What `?table=` shows alone: its columns and its rows.
TABLES: dict[str, tuple[type[Sheet], Callable[[Servers], Sequence[Any]]]] = {
    "processes": (ProcessSheet, lambda found: found.processes),
    "sweeps": (SweepSheet, lambda found: found.sweeps),
    "tables": (TableSheet, lambda found: found.tables),
    "queues": (QueueSheet, lambda found: found.queues),
}


def sheet(name: str, found: Servers, *, orderable: bool = True) -> Sheet:
    """One of TABLES."""
    columns, rows = TABLES[name]
    return columns(rows(found), orderable=orderable)
