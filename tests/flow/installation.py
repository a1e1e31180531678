"""A launcher in a data folder of its own, as a test sees it: start, look, hurt, end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings, proddb_settings
from pandasite.embedded.process import Command
from pandasite.launcher.state import Record
from tests import migrated
from tests.flow.processes import Family

# A blank and something that looks like an escaped letter: a data folder may be called so.
FOLDER = "pandasite flow %41 "
STOP_SECONDS = 120.0  # the launcher promises 30 on a quiet machine


class Installation:
    """The data folder, and the launcher that runs there at the moment."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        self.home = Home(path)
        self.log = path / "launcher.log"
        self.family = family
        self._blocker = blocker
        self._started: list[subprocess.Popen[bytes]] = []
        self._launcher: subprocess.Popen[bytes] | None = None

    @property
    def launcher(self) -> subprocess.Popen[bytes]:
        assert self._launcher is not None
        return self._launcher

    def prepare(self) -> None:
        """As the first start leaves it: to copy the tables is quicker than to migrate."""
        migrated.prepare(Home.choose(asked=str(self.home.path), repository=self.home.path))

    def launch(self, *argv: str, environment: Mapping[str, str]) -> None:
        """Start a launcher; at the death of the tests it dies, too."""
        place = {"PANDASITE_DATA": str(self.home.path), "PANDASITE_BIND": "127.0.0.1:0"}
        command = Command(
            name="launcher",
            argv=argv,
            env=os.environ | environment | place,
            cwd=str(settings.BASE_DIR),
        )
        self._launcher = self.start_process(command, self.log)

    def start_process(self, command: Command, log: Path) -> subprocess.Popen[bytes]:
        """Start something that is ended with the rest when a test breaks off."""
        started = command.start(log)
        self._started.append(started)
        return started

    def said(self) -> str:
        """What the launchers have printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """The launcher dies on the spot."""
        self.launcher.kill()
        self.launcher.wait()

    def stop(self) -> None:
        """The launcher ends in order."""
        self.launcher.terminate()
        assert self.launcher.wait(STOP_SECONDS) == 0

    def clear(self) -> None:
        """End whatever is left of a run that broke off."""
        for process in self.family.living():
            process.kill()
        for started in self._started:
            started.wait()

    def record(self) -> Record | None:
        """What the launcher has written down of itself; None before it has, and after its end."""
        return Record.read(self.home.run / "launcher.json")

    def process(self, name: str) -> psutil.Process:
        """A child of the launcher; NoSuchProcess while it is being started again."""
        record = self.record()
        if record is None or name not in record.children:
            raise psutil.NoSuchProcess(0, name)
        return psutil.Process(record.children[name].pid)

    def runs_anew(self, name: str, before: psutil.Process) -> bool:
        """Whether a child was started again since that process."""
        try:
            return self.process(name) != before
        except psutil.NoSuchProcess:
            return False

    def answers(self) -> bool:
        """Whether the web server does."""
        record = self.record()
        try:
            return record is not None and requests.get(f"{record.url}healthz/live", timeout=10).ok
        except requests.RequestException:
            return False

    @contextmanager
    def books(self) -> Iterator[None]:
        """Inside, Django's models are those of this site, and not of the tests' own databases."""
        keys = Keys.of(self.home.secrets)
        own = {alias: connections[alias] for alias in ("default", "proddb")}
        places = {
            "default": database_settings(self.home, keys),
            "proddb": proddb_settings(self.home, keys),
        }
        with self._blocker.unblock():
            for alias, mine in own.items():
                connections[alias] = type(mine)(mine.settings_dict | places[alias], alias=alias)
            try:
                yield
            finally:
                for alias, mine in own.items():
                    connections[alias].close()
                    connections[alias] = mine


@contextmanager
def data_folder() -> Iterator[Path]:
    """An empty folder that is removed at the end."""
    path = Path(tempfile.mkdtemp(prefix=FOLDER))
    path.chmod(0o711)  # root's servers run as somebody else, who must get in
    try:
        yield path
    finally:
        shutil.rmtree(path)


def eventually(
    is_so: Callable[[], bool],
    *,
    seconds: float = 180.0,
    pause: float = 0.2,
    what: Callable[[], str] = lambda: "",
) -> None:
    """Ask until it is so; AssertionError with `what` if it does not come to that."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s {what()}"
        time.sleep(pause)
