"""A running site in a folder of its own, as a test sees it: start, look, hurt, end."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests
from django.conf import settings
from django.db import OperationalError, connections
from pytest_django import DjangoDbBlocker

from jobs.models import Job
from jobs.states import FINAL
from pandasite.demo import pilots
from pandasite.demo.client import Client
from pandasite.demo.grid import DemoFolder
from pandasite.demo.productions import Production
from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings
from pandasite.embedded.process import Command
from pandasite.launcher.state import Record
from tests.flow.grid import HOME
from tests.flow.pilot_command import pilot_command
from tests.flow.processes import Family

# A blank and something that looks like an escaped letter: a data folder may be called so.
FOLDER = "pandasite flow %41 "
LEASE_SECONDS = 8
LIMITS = {
    "PANDASITE_SWEEP_SECONDS": "1",
    "PANDASITE_LEASE_SECONDS": str(LEASE_SECONDS),
    "PANDASITE_LEASE_GRACE_SECONDS": "2",
    "PANDASITE_SENT_SECONDS": "6",
    "PANDASITE_HEARTBEAT_SECONDS": "1",
    "PANDASITE_RETRY_AFTER_SECONDS": "1",
    "PANDASITE_TRANSFER_RETRY_SECONDS": "1",
    "PANDASITE_TRANSFER_LEASE_SECONDS": "5",
    "PANDASITE_CLOSE_MINUTES": "0",
    "PANDASITE_BUNCH_SIZE": "2",
}
START_SECONDS = 120.0
STOP_SECONDS = 30.0  # promised by the launcher
END_SECONDS = 120.0  # for the jobs of a production


class FlowSite:
    """One installation, and the launcher that runs it at the moment."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        self.home = Home(path)
        self.folder = DemoFolder(path)
        self.journal = path / "journal"
        self.family = family
        self._blocker = blocker
        self._launcher: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] = {}
        self._slots = itertools.count(1)
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return str(self._ready["url"])

    @property
    def launcher(self) -> subprocess.Popen[bytes]:
        assert self._launcher is not None
        return self._launcher

    def start(self) -> float:
        """Bring everything up; how long it took (s)."""
        begun = time.monotonic()
        command = Command(
            name="launcher",
            argv=(sys.executable, "-m", "tests.flow.bring_up"),
            env=os.environ | LIMITS | self._place(),
            cwd=str(settings.BASE_DIR),
        )
        launcher = self._launcher = command.start(self.home.path / "launcher.log")
        self._started.append(launcher)
        eventually(lambda: self._is_ready(launcher), seconds=START_SECONDS, what=self._complaint)
        return time.monotonic() - begun

    def _place(self) -> dict[str, str]:
        return {"PANDASITE_DATA": str(self.home.path), "PANDASITE_BIND": "127.0.0.1:0"}

    def _is_ready(self, launcher: subprocess.Popen[bytes]) -> bool:
        assert launcher.poll() is None, self._complaint()
        try:
            self._ready = json.loads((self.home.path / "ready.json").read_text(encoding="ascii"))
        except FileNotFoundError:
            return False
        return self._ready["pid"] == launcher.pid

    def _complaint(self) -> str:
        log = (self.home.path / "launcher.log").read_text(encoding="utf-8", errors="replace")
        return f"the site is not up:\n{log[-3000:]}"

    def kill(self) -> None:
        """The launcher dies on the spot."""
        self.launcher.kill()
        self.launcher.wait()

    def stop(self) -> None:
        """The launcher ends in order."""
        self.launcher.terminate()
        assert self.launcher.wait(STOP_SECONDS) == 0

    def clear(self) -> None:
        """Whatever is left of a run that broke off."""
        for process in self.family.living():
            process.kill()
        for started in self._started:
            started.wait()

    def process(self, name: str) -> psutil.Process:
        """A child of the launcher; NoSuchProcess while it is being started again."""
        record = Record.read(self.home.run / "launcher.json")
        if record is None or name not in record.children:
            raise psutil.NoSuchProcess(0, name)
        return psutil.Process(record.children[name].pid)

    def answers(self) -> bool:
        """Whether the web server does."""
        try:
            return requests.get(f"{self.url}healthz/live", timeout=2).ok
        except requests.RequestException:
            return False

    def submit(self, production: Production) -> list[int]:
        """Submit jobs; the PandaIDs that the server acknowledged."""
        return self._client().submit(production)

    def kill_jobs(self, panda_ids: Sequence[int]) -> None:
        """As their owner does."""
        body = {"panda_ids": list(panda_ids), "reason": "the test is over"}
        self._client().post("/rest/v1/jobs/kill", body, headers={})

    def _client(self) -> Client:
        return Client(self.url, self._ready["token"])

    @contextmanager
    def books(self) -> Iterator[None]:
        """Inside, Django's models are those of this site, and not of the tests' own database."""
        own = connections["default"]
        entry = own.settings_dict | database_settings(self.home, Keys.of(self.home.secrets))
        with self._blocker.unblock():
            connections["default"] = theirs = type(own)(entry, alias="default")
            try:
                yield
            finally:
                theirs.close()
                connections["default"] = own

    def states(self, panda_ids: Sequence[int]) -> list[str]:
        """The states of these jobs; empty while the database does not answer."""
        try:
            with self.books():
                found = Job.objects.filter(pk__in=panda_ids).order_by("pk")
                return list(found.values_list("state", flat=True))
        except OperationalError:
            return []

    def await_end(self, panda_ids: Sequence[int], *, seconds: float = END_SECONDS) -> None:
        """Wait until each of these jobs is final."""

        def ended() -> bool:
            states = self.states(panda_ids)
            return len(states) == len(panda_ids) and all(state in FINAL for state in states)

        eventually(ended, seconds=seconds, what=lambda: f"not final: {self.states(panda_ids)}")

    def start_pilot(self, name: str, *more: str, server: str) -> subprocess.Popen[bytes]:
        """A pilot at home, on a node of this name, that nobody looks after."""
        slot = next(self._slots)
        argv = pilot_command(self.folder, HOME, slot=slot, server=server)
        command = Command(
            name=name,
            argv=(*argv, "--node", name, *more),
            env=pilots.environment(os.environ, code=settings.BASE_DIR),
        )
        pilot = command.start(self.pilot_log(name))
        self._started.append(pilot)
        return pilot

    def pilot_log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def release_file(self, name: str) -> Path:
        """What a job waits for that was submitted with it."""
        return self.home.path / f"release.{name}"


@contextmanager
def site_in_a_folder(blocker: DjangoDbBlocker) -> Iterator[FlowSite]:
    """A site that is up; its folder is removed at the end, when nothing of it may be left."""
    path = Path(tempfile.mkdtemp(prefix=FOLDER))
    path.chmod(0o711)  # root's servers run as somebody else, who must get in
    site = FlowSite(path, family=Family(), blocker=blocker)
    try:
        site.start()
        yield site
        site.stop()
        assert site.family.living() == []
    finally:
        site.clear()
        shutil.rmtree(path)


def eventually(
    is_so: Callable[[], bool], *, seconds: float = 60.0, what: Callable[[], str] = lambda: ""
) -> None:
    """Wait until it is so; AssertionError with `what` if it does not come to that."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s {what()}"
        time.sleep(0.05)
