"""One site, of the product's own processes, each of which a test may hurt and start again.

They are the children of the test, not of the launcher: the test says when a killed one comes back.
The web server inherits a listening socket, as it does from the launcher.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM

import psutil
from pytest_django import DjangoDbBlocker

from jobs.models import BrokerageDecision
from pandasite.base.models import SweepRun
from pandasite.embedded.process import Command
from pandasite.embedded.servers import Servers
from pandasite.launcher.bind import Bind, url_of
from pandasite.launcher.stack import WORKERS
from tests import migrated
from tests.faults.asking import Asker
from tests.faults.history import History
from tests.flow.installation import data_folder, eventually
from tests.flow.processes import Family, below, seconds_until_gone
from tests.site_base import SiteOfPieces, web, worker

DDM_SENDER, DDM_SECRET = "rucio", "s3cret-of-the-other-side-0123456789abcdef"
PATIENT = {
    "PANDASITE_SWEEP_SECONDS": "1",
    "PANDASITE_RETRY_AFTER_SECONDS": "1",
    "PANDASITE_TRANSFER_RETRY_SECONDS": "1",
    "PANDASITE_TRANSFER_LEASE_SECONDS": "2",
    # A task is one file here, and as many as there are run at once.
    "PANDASITE_TRANSFER_BUNCH": "1",
    "PANDASITE_TRANSFER_STREAMS": "60",
    "PANDASITE_LINK_TRANSFERS": "60",
    "PANDASITE_STORAGE_TRANSFERS": "60",
    "PANDASITE_LEASE_GRACE_SECONDS": "0",
    "LOG_LEVEL": "WARNING",
    "PANDASITE_DDM_SECRETS": f"{DDM_SENDER}={DDM_SECRET}",
}
SWEEP_SECONDS = 1.0
LEASE_SECONDS = 2.0
STRICT = PATIENT | {"PANDASITE_LEASE_SECONDS": "2", "PANDASITE_SENT_SECONDS": "2"}
READY_SECONDS = 90.0  # on a busy machine
STOP_SECONDS = 30.0
SERVERS = ("postgres", "valkey")


class FaultSite(SiteOfPieces):
    """Its pieces by name: postgres, valkey, web, and the Celery workers of the launcher."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=family, blocker=blocker)
        self.servers = Servers.of(self.home)
        self.limits: Mapping[str, str] = PATIENT
        self.pieces: dict[str, subprocess.Popen[bytes]] = {}
        self.listener = Bind(host="127.0.0.1", port=0).listen()
        self.url = url_of(self.listener)

    # -- pieces ----------------------------------------------------------------------------

    def start(self, name: str, command: Command | None = None) -> subprocess.Popen[bytes]:
        """Start a piece, from the main thread; it need not be ready yet."""
        command = command or self.command(name)
        self.pieces[name] = self.start_process(command, self.home.logs / f"{name}.log")
        return self.pieces[name]

    def command(self, name: str) -> Command:
        """How the product starts this piece."""
        if name in SERVERS:
            return next(one for one in self.servers.commands() if one.name == name)
        if name == "web":
            return web(self.listener.fileno(), environment=self.environment())
        return self.worker(name, *WORKERS[name])

    def worker(self, name: str, *options: str, app: str = "pandasite") -> Command:
        """A Celery worker of this name."""
        environment = self.environment()
        return worker(name, "-l", "INFO", *options, at="%h", environment=environment, app=app)

    def environment(self) -> dict[str, str]:
        fixed = {
            "DJANGO_SETTINGS_MODULE": "pandasite.settings",
            "PANDASITE_DATA": str(self.home.path),
            "PYTHONUNBUFFERED": "1",
        }
        return os.environ | fixed | dict(self.limits)

    def kill_piece(self, name: str) -> None:
        """kill -9 of the piece and of everything below it."""
        process = psutil.Process(self.pieces[name].pid)
        for one in [process, *below(process)]:
            self.kill_process(one)
        self.pieces.pop(name).wait()

    @staticmethod
    def kill_process(process: psutil.Process) -> None:
        """kill -9, of one that may have ended."""
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass

    def stop_piece(self, name: str, *, number: int = SIGTERM) -> None:
        """End a piece in order."""
        process = self.pieces.pop(name)
        family = below(psutil.Process(process.pid))
        process.send_signal(number)
        process.wait(STOP_SECONDS)
        seconds_until_gone(family, limit=STOP_SECONDS)

    # -- the whole -------------------------------------------------------------------------

    def bring_up(self) -> None:
        """Servers, tables, web and workers."""
        self.start_servers()
        migrated.copy_to(self.home)
        self.manage("migrate", "proddb", "--database", "proddb", "--verbosity", "0")
        self.start_site()

    def start_servers(self) -> None:
        """PostgreSQL and Valkey, where they do not run."""
        for name in SERVERS:
            if not self.runs(name):
                self.start(name)
        eventually(self.servers.ready, seconds=READY_SECONDS, pause=0.05)

    def start_site(self) -> None:
        """Web and workers, ready to be asked."""
        for name in ("web", *WORKERS):
            self.start(name)
        self.await_web()

    def with_limits(self, limits: Mapping[str, str]) -> None:
        """Run with these settings; what a test has left dead, or has others, is started anew."""
        self.start_servers()
        whole = all(self.runs(name) for name in ("web", *WORKERS))
        if whole and limits == self.limits:
            return
        self.limits = limits
        for name in [name for name in self.pieces if name not in SERVERS]:
            self.kill_piece(name)
        self.start_site()

    def runs(self, name: str) -> bool:
        return name in self.pieces and self.pieces[name].poll() is None

    def take_down(self) -> None:
        """End everything, servers last."""
        upper = [name for name in self.pieces if name not in SERVERS]
        for layer in (upper, [name for name in SERVERS if name in self.pieces]):
            for name in layer:
                number = self.end_signal(name)
                self.pieces[name].send_signal(number)
            for name in layer:
                self.pieces.pop(name).wait(STOP_SECONDS)
        self.listener.close()

    def end_signal(self, name: str) -> int:
        """What ends a piece in order: PostgreSQL would wait for its clients at SIGTERM."""
        return SIGINT if name == "postgres" else SIGTERM

    def manage(self, *words: str) -> None:
        """A management command, as an administrator gives it."""
        environment = self.environment() | {"PANDASITE_STATEMENT_SECONDS": "0"}
        self.run_manage(*words, environment=environment)

    def await_web(self, *, seconds: float = READY_SECONDS) -> None:
        """Until the web server answers."""
        eventually(self.web_answers, seconds=seconds, pause=0.02)

    def web_answers(self) -> bool:
        asker = Asker(self.url, "", History())
        try:
            return asker.get("/healthz/live")[0] == 200
        finally:
            asker.close()

    def await_sweep(self, name: str, *, rounds: int = 1, seconds: float = READY_SECONDS) -> None:
        """Until a sweep has ended well so many more times: what was there before, it has seen."""
        wanted = self.sweeps_of(name) + rounds + 1  # one may be under way
        eventually(lambda: self.sweeps_of(name) >= wanted, seconds=seconds, pause=0.1)

    def sweeps_of(self, name: str) -> int:
        with self.books():
            return sum(SweepRun.objects.filter(name=name).values_list("runs", flat=True))

    def trouble(self) -> str:
        """What the sweeps complain of, and the ends of the logs: for a test that waits in vain."""
        with self.books():
            last = BrokerageDecision.objects.first()
        said = last.detail if last else "nothing"
        return f"sweeps: {self.sweep_errors()}; brokerage said {said}; {self.trouble_in_logs()}"

    def trouble_in_logs(self) -> str:
        ends = {name: self.log_of(name)[-1500:] for name in self.pieces if name not in SERVERS}
        return f"logs: {ends}"

    def log_of(self, name: str) -> str:
        return (self.home.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def fault_site(blocker: DjangoDbBlocker) -> Iterator[FaultSite]:
    """A site that is up; nothing of it is left behind."""
    with data_folder() as path:
        site = FaultSite(path, family=Family(), blocker=blocker)
        try:
            site.bring_up()
            yield site
            site.take_down()
        finally:
            site.clear()
