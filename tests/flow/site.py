"""The site of these tests: the light grid, its pilots, and short leases."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from jobs.models import Job
from jobs.states import FINAL
from pandasite.demo import pilots
from pandasite.demo.client import Client
from pandasite.demo.grid import DemoFolder
from pandasite.demo.productions import Production
from pandasite.embedded.process import Command
from tests.flow.grid import HOME
from tests.flow.installation import Installation, data_folder, eventually
from tests.flow.pilot_command import pilot_command
from tests.flow.processes import Family

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
START_SECONDS = 300.0  # on a busy machine
END_SECONDS = 300.0  # for the jobs of a production, there


class FlowSite(Installation):
    """One installation with its grid; `journal` is where the payloads say that they live."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=family, blocker=blocker)
        self.folder = DemoFolder(path)
        self.journal = path / "journal"
        self._ready: dict[str, Any] = {}
        self._slots = itertools.count(1)

    @property
    def url(self) -> str:
        return str(self._ready["url"])

    def start(self) -> float:
        """Bring everything up; how long it took (s)."""
        begun = time.monotonic()
        self.launch(sys.executable, "-m", "tests.flow.bring_up", environment=LIMITS)
        eventually(self._is_ready, seconds=START_SECONDS, what=self.said)
        return time.monotonic() - begun

    def _is_ready(self) -> bool:
        assert self.launcher.poll() is None, self.said()
        try:
            self._ready = json.loads((self.home.path / "ready.json").read_text(encoding="ascii"))
        except FileNotFoundError:
            return False
        return bool(self._ready["pid"] == self.launcher.pid)

    def submit(self, production: Production) -> list[int]:
        """Submit jobs; the PandaIDs that the server acknowledged."""
        return self._client().submit(production)

    def kill_jobs(self, panda_ids: Sequence[int]) -> None:
        """As their owner does."""
        body = {"panda_ids": list(panda_ids), "reason": "the test is over"}
        self._client().post("/rest/v1/jobs/kill", body, headers={})

    def _client(self) -> Client:
        return Client(self.url, self._ready["token"])

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
        return self.start_process(command, self.pilot_log(name))

    def pilot_log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def release_file(self, name: str) -> Path:
        """What a job waits for that was submitted with it."""
        return self.home.path / f"release.{name}"


@contextmanager
def site_in_a_folder(blocker: DjangoDbBlocker) -> Iterator[FlowSite]:
    """A site that is up; when it has ended, nothing of it may be left."""
    with data_folder() as path:
        site = FlowSite(path, family=Family(), blocker=blocker)
        try:
            site.prepare()
            site.start()
            yield site
            site.stop()
            assert site.family.living() == []
        finally:
            site.clear()
