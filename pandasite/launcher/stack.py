"""Everything one installation needs, brought up in order and watched."""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Self

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from pandasite.embedded.home import Home
from pandasite.embedded.process import Command, Identity
from pandasite.embedded.servers import Servers
from pandasite.environment import Environment
from pandasite.launcher.bind import EVERYWHERE, Bind, url_of
from pandasite.launcher.errors import LaunchError
from pandasite.launcher.state import Hold, Record, end_processes
from pandasite.launcher.static import collect_if_changed
from pandasite.launcher.supervisor import Layer, Supervisor

SERVERS_READY_SECONDS = 60.0
WEB_READY_SECONDS = 120.0
# What make and the shell leave in the environment and a child must not take for its own.
NOT_FOR_CHILDREN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS")
WORKERS = {
    "worker": ("-B", "-Q", "celery", "-c", "1"),
    "transfers": ("-Q", "transfers", "-P", "threads", "-c", "4"),
}


class Stack(Supervisor):
    """The embedded servers (unless DATABASE_URL is set), migrations, static files, web, workers.

        with Stack(say=print, environment={"PANDASITE_LEASE_SECONDS": "20"}) as stack:
            stack.add("pilot-1", [sys.executable, "-m", "pilot_client", ...])
            done = stack.run(until=lambda: no_job_is_left())

    Entering brings everything up, in the order of the first line; it raises AlreadyRuns or
    LaunchError, and nothing is left running then. Leaving ends everything within 30 s.
    While it is entered, SIGTERM, SIGINT and SIGHUP set `stopping`: `run()` then returns False,
    and a loop of your own around `tick()` should end. A second signal raises KeyboardInterrupt.

    `url` is the site's address with a slash at its end, `tls_url` that of the port with TLS of its
    own, when PANDASITE_TLS_BIND names one. `environment` is added to that of the
    children the stack makes itself; `child_environment()` gives it to you for yours.
    `site=()` leaves web and workers for later: `start_web()`, `start_worker("worker")`.
    From entering on, Django's database connection of this process may be used.
    """

    def __init__(
        self,
        *,
        say: Callable[[str], None] = lambda line: None,
        environment: Mapping[str, str] | None = None,
        site: Collection[str] = ("web", *WORKERS),
    ) -> None:
        self.home: Home = settings.PANDASITE_HOME
        self.url = ""
        self.tls_url = ""
        self._listener: socket.socket | None = None
        self._tls_listener: socket.socket | None = None
        self._extra = dict(environment or {})
        self._site = site
        self._hold = Hold(self.home.run)
        self._handlers: dict[int, Any] = {}
        super().__init__(logs=self.home.logs, say=say, changed=self._remember)

    def __enter__(self) -> Self:
        self.home.make()
        self._hold.take()
        self._watch_signals()
        try:
            self._bring_up()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends everything and gives the data folder free."""
        connections.close_all()
        super().stop()
        for listener in filter(None, (self._listener, self._tls_listener)):
            listener.close()
        self._hold.record_path.unlink(missing_ok=True)
        self._hold.release()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def child_environment(self) -> dict[str, str]:
        """The environment for a child that runs this code: ours, the data folder made explicit."""
        kept = {key: value for key, value in os.environ.items() if key not in NOT_FOR_CHILDREN}
        fixed = {
            "DJANGO_SETTINGS_MODULE": "pandasite.settings",
            "PANDASITE_DATA": str(self.home.path),
            "PYTHONUNBUFFERED": "1",
        }
        return kept | fixed | self._extra

    def _bring_up(self) -> None:
        """1. clear leftovers, 2. take the address, 3. servers, 4. migrate, 5. static, 6. site."""
        self._clear_leftovers()
        listener = self._listener = Bind.from_environment(Environment()).listen()
        self.url = url_of(listener)
        if settings.PANDASITE_TLS_BIND:
            bind = Bind.of(settings.PANDASITE_TLS_BIND, name="PANDASITE_TLS_BIND")
            self._tls_listener = bind.listen()
            self.tls_url = url_of(self._tls_listener, scheme="https")
        self._remember({})
        steps = [self._start_servers, self._migrate, self._collect_static]
        for step in steps:
            step()
            if self.stopping:
                raise LaunchError("Stopped while starting.")
        if "web" in self._site:
            self.start_web()
        if "web" in self._site and self._tls_listener:
            self.start_tls(self._tls_listener)
        # The workers come after it: four imports at once would keep the first page waiting.
        for name in WORKERS:
            if name in self._site:
                self.start_worker(name)

    def _clear_leftovers(self) -> None:
        """Where the kernel sends no death signal, a killed launcher leaves its children behind."""
        record = self._hold.read()
        if record and (ended := end_processes(record.children, seconds=10.0)):
            self.say(f"ended what a killed launcher left: {', '.join(ended)}")

    def _start_servers(self) -> None:
        if not settings.PANDASITE_EMBEDDED:
            return
        begun = time.monotonic()
        servers = Servers.of(self.home)
        names = []
        for command in servers.commands():
            self.add_command(command, layer=Layer.SERVER)
            names.append(command.name)
        self.wait_for(names, servers.ready, seconds=SERVERS_READY_SECONDS)
        took = time.monotonic() - begun
        self.say(f"PostgreSQL {servers.postgres.programs.major} and Valkey ready ({took:.1f} s)")

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
            self.say(f"database brought up to date ({len(plan)} migrations)")
        if settings.PANDASITE_EMBEDDED and not Environment().given("PRODDB_URL"):
            self._migrate_proddb()

    def _migrate_proddb(self) -> None:
        """The production database, where it is ours; one that is not has its own keepers."""
        executor = MigrationExecutor(connections["proddb"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes("proddb")):
            call_command("migrate", "proddb", database="proddb", interactive=False, verbosity=0)

    def _collect_static(self) -> None:
        if collect_if_changed(Path(settings.STATIC_ROOT)):
            self.say("static files collected")

    def start_web(self) -> None:
        """The web server, on the address that was taken; returns when it answers."""
        listener = self._listener
        assert listener is not None
        web = ("pandasite.launcher.web", "--bind", f"fd://{listener.fileno()}")
        self._add_module("web", web, fds=(listener.fileno(),))
        self.wait_for(["web"], lambda: _answers(listener), seconds=WEB_READY_SECONDS)
        self.say(f"the site is at {self.url}")

    def start_tls(self, listener: socket.socket) -> None:
        """The port with TLS of its own; it begins to answer within some seconds."""
        web = ("pandasite.launcher.tls", "--bind", f"fd://{listener.fileno()}")
        self._add_module("tls", web, fds=(listener.fileno(),))
        self.say(f"certificates are taken at {self.tls_url}")

    def start_worker(self, name: str) -> None:
        """One of WORKERS; it begins to work within some seconds."""
        node = ("-n", f"{name}@%h", "-l", "INFO", "--without-gossip", "--without-mingle")
        options = (*node, *WORKERS[name])
        self._add_module(name, ("celery", "-A", "pandasite", "worker", *options))

    def _add_module(self, name: str, words: tuple[str, ...], *, fds: tuple[int, ...] = ()) -> None:
        command = Command(
            name=name,
            argv=(sys.executable, "-m", *words),
            env=self.child_environment(),
            cwd=str(settings.BASE_DIR),
            fds=fds,
        )
        self.add_command(command, layer=Layer.SITE)

    def _remember(self, children: Mapping[str, Identity]) -> None:
        launcher = Identity.of(os.getpid())
        record = Record(launcher=launcher, children=children, url=self.url)
        record.write(self._hold.record_path)

    def _watch_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True


def _answers(listener: socket.socket) -> bool:
    """Whether the web server behind a socket gives an answer, of whatever kind."""
    host, port = listener.getsockname()[:2]
    asking = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=3.0)
    try:
        asking.request("GET", "/healthz/live")
        return bool(asking.getresponse().read())
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()
