"""The test bed: a whole installation, whose database is set back to a known state in seconds.

Each state is filled once, kept as a template database, and copied from then on.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import redis
from django.conf import settings
from django.db import connection, connections

from benchmarks.grid import Grid, make_grid
from benchmarks.meter import Meter
from pandasite.base.clock import database_now
from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import (
    NAME,
    PORT,
    SUPERUSER,
    socket_folder,
    with_autocommit,
)
from pandasite.embedded.process import Command
from pandasite.embedded.valkey import socket_path
from pandasite.launcher.bind import Bind
from pandasite.launcher.stack import Stack
from pandasite.launcher.supervisor import Layer

# A pilot without work of this test bed comes back soon, or the fleet would wait for itself.
PACE = {"PANDASITE_RETRY_AFTER_SECONDS": "2"}
# The product's own limit, which this process lifts for itself.
CHILD = {"PANDASITE_STATEMENT_SECONDS": "15"}
EMPTY = "bench_empty"
SECOND = "web-second"
SECOND_SETTINGS = {"DJANGO_SETTINGS_MODULE": "benchmarks.second"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Data:
    """A state of the database: a grid of so many sites, and what `fill` adds to it."""

    name: str
    n_sites: int
    fill: Callable[[Grid], None]
    cap: int = 0  # jobs that a site may have with pilots; 0: any number


class Bed:
    """What a figure works with. `scale` is that of the data, `seconds` the length of a window."""

    def __init__(self, stack: Stack, *, scale: float, seconds: float, say: Say) -> None:
        self.stack = stack
        self.scale = scale
        self.seconds = seconds
        self.say = say
        self._grids: dict[str, Grid] = {}
        self._second: socket.socket | None = None
        address = urlsplit(stack.url)
        self.host, self.port = str(address.hostname), int(address.port or 80)

    @property
    def home(self) -> Home:
        return self.stack.home

    def scaled(self, n: int, *, least: int = 1) -> int:
        """So many, at the scale of this run."""
        return max(least, round(n * self.scale))

    def restore(self, data: Data) -> Grid:
        """Bring the database into this state; ends web and workers. The grid of the state."""
        self.end_site()
        if data.name not in self._grids:
            self._make(data)
        else:
            self._copy(f"bench_{data.name}", to=NAME)
        self._empty_broker()
        return self._grids[data.name]

    def grow(self, data: Data, larger: Data) -> Grid:
        """Fill `larger` on top of the state `data`, which is there, and keep it as a state too."""
        self.end_site()
        begun, grid = time.monotonic(), self._grids[data.name]
        larger.fill(grid)
        self._keep(larger, grid, begun)
        return grid

    def forget(self, data: Data) -> None:
        """Give the disk space back."""
        if self._grids.pop(data.name, None) is not None:
            self._admin(f"DROP DATABASE bench_{data.name}")

    def start_site(self, *workers: str) -> None:
        """The web server, then these workers of the launcher."""
        self.stack.start_web()
        for name in workers:
            self.stack.start_worker(name)

    def start_second(self, data: Data) -> tuple[str, int]:
        """Another web server, over the state `data` as it is kept; its host and port.

        What is asked before it is ready waits in the socket.
        """
        listener = self._second = Bind.of("127.0.0.1:0").listen()
        fd = listener.fileno()
        named = {"BENCH_DATABASE": f"bench_{data.name}"}
        command = Command(
            name=SECOND,
            argv=(sys.executable, "-m", "pandasite.launcher.web", "--bind", f"fd://{fd}"),
            env=self.stack.child_environment() | SECOND_SETTINGS | named,
            cwd=str(settings.BASE_DIR),
            fds=(fd,),
        )
        self.stack.add_command(command, layer=Layer.SITE)
        host, port = listener.getsockname()[:2]
        return host, port

    def end_site(self) -> None:
        """Ends web and workers."""
        connections.close_all()
        for name in [name for name in self.stack.running() if name not in ("postgres", "valkey")]:
            self.stack.remove(name)
        if self._second is not None:
            self._second.close()
            self._second = None

    def meter(self) -> Meter:
        """Counts the CPU of every process of the installation from now on."""
        return Meter(self.stack.running)

    def keep_empty(self) -> None:
        """Remember the migrated, empty database that all states are made from."""
        connections.close_all()
        self._copy(NAME, to=EMPTY)

    def _make(self, data: Data) -> None:
        begun = time.monotonic()
        self._copy(EMPTY, to=NAME)
        grid = make_grid(data.n_sites, cap=data.cap, now=database_now())
        data.fill(grid)
        self._keep(data, grid, begun)

    def _keep(self, data: Data, grid: Grid, begun: float) -> None:
        self._grids[data.name] = grid
        self._vacuum()
        self._copy(NAME, to=f"bench_{data.name}")
        self.say(f"data `{data.name}` made in {time.monotonic() - begun:.1f} s")

    def _vacuum(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM FULL jobs_pulse")  # a fill has written it twice
            cursor.execute("VACUUM ANALYZE")
        connections.close_all()

    def _copy(self, source: str, *, to: str) -> None:
        self._admin(f"DROP DATABASE IF EXISTS {to} WITH (FORCE)")
        self._admin(f"CREATE DATABASE {to} OWNER {NAME} TEMPLATE {source} STRATEGY file_copy")

    def _admin(self, statement: str) -> None:
        """As the superuser: who drops a database may have to end an autovacuum that is in it."""
        admin = psycopg2.connect(
            host=str(socket_folder(self.home)),
            port=PORT,
            user=SUPERUSER,
            password=Keys.of(self.home.secrets).superuser_password,
            dbname=SUPERUSER,
        )
        with_autocommit(admin, lambda cursor: cursor.execute(statement))

    def _empty_broker(self) -> None:
        password = Keys.of(self.home.secrets).broker_password
        path = str(socket_path(self.home))
        with redis.Redis(unix_socket_path=path, password=password) as client:
            client.flushdb()


@contextmanager
def test_bed(
    *, scale: float, seconds: float, say: Say, environment: Mapping[str, str] = PACE
) -> Iterator[Bed]:
    """A test bed that is up; everything it started is ended and gone afterwards."""
    with Stack(say=say, environment=CHILD | dict(environment), site=()) as stack:
        for number in (signal.SIGINT, signal.SIGTERM):  # the stack puts the old ones back
            signal.signal(number, _end)
        bed = Bed(stack, scale=scale, seconds=seconds, say=say)
        bed.keep_empty()
        yield bed


def _end(number: int, frame: FrameType | None) -> None:
    """Any figure may be broken off: the way out ends the test bed."""
    raise KeyboardInterrupt


def query(sql: str, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows of one statement, in a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def number(sql: str, values: Any = None) -> int:
    """The one number that a statement answers."""
    return int(query(sql, values)[0][0])


def moment() -> dt.datetime:
    """The database's clock."""
    return database_now()


def machine() -> dict[str, Any]:
    """What the reader of a figure has to know of the machine, and when it was."""
    load = os.getloadavg()[0]
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return {"cores": os.cpu_count(), "load_before": load, "day": day}
