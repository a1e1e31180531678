"""The site of these tests, and what its catalogue and its disk have."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_django import DjangoDbBlocker

from datasets.storage import path_of
from jobs.models import Job, JobFile, Task
from tests.clients.client import PandaClient
from tests.clients.grid import READY
from tests.flow.installation import Installation, eventually
from tests.flow.processes import Family

LIMITS = {
    "PANDASITE_SWEEP_SECONDS": "3",  # what waits longer is dropped: a busy machine needs this
    "PANDASITE_HEARTBEAT_SECONDS": "1",
    "PANDASITE_RETRY_AFTER_SECONDS": "1",
    "PANDASITE_CLOSE_MINUTES": "0",
}
START_SECONDS = 300.0  # on a busy machine
END_SECONDS = 360.0  # for a task, there


class ClientSite(Installation):
    """One installation with its pilots, and users with PanDA's client."""

    def __init__(self, path: Path, *, environment: Path, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=Family(), blocker=blocker)
        self.environment = environment
        self.ready: dict[str, Any] = {}

    def start(self) -> None:
        self.launch(sys.executable, "-m", "tests.clients.bring_up", environment=LIMITS)
        eventually(self._is_ready, seconds=START_SECONDS, what=self.said)

    def _is_ready(self) -> bool:
        assert self.launcher.poll() is None, self.said()
        path = self.home.path / READY
        if path.exists():
            self.ready = json.loads(path.read_text(encoding="ascii"))
        return bool(self.ready)

    def user(self, name: str, *, token: str = "client") -> PandaClient:
        """A folder with a sandbox and a client, for whom that token belongs to."""
        return PandaClient(
            environment=self.environment,
            folder=self.home.path / "users" / name,
            url=str(self.ready["url"]).rstrip("/"),
            token=self.ready[token],
        )

    def task(self, task_id: int) -> Task:
        with self.books():
            return Task.objects.get(pk=task_id)

    def await_state(self, task_id: int, *states: str) -> Task:
        """Wait for one of these states."""
        eventually(
            lambda: self.task(task_id).state in states,
            seconds=END_SECONDS,
            pause=0.5,
            what=lambda: self.story(task_id),
        )
        return self.task(task_id)

    def story(self, task_id: int) -> str:
        """For who looks at a test that failed: the task, its jobs, and the last of each pilot."""
        with self.books():
            task = Task.objects.get(pk=task_id)
            lines = [f"{task.state}: {task.state_reason}"]
            for job in Job.objects.filter(task=task).order_by("pk"):
                lines.append(f"{job.pk} {job.state} {job.errors()} {job.job_parameters}")
        for path in sorted(self.home.logs.glob("pilot*.log")):
            text = path.read_text(encoding="utf-8", errors="replace")
            lines += [f"== {path.name}", *text.splitlines()[-12:]]
        return "\n".join(lines)

    def jobs(self, task_id: int) -> list[Job]:
        with self.books():
            return list(Job.objects.filter(task=task_id).order_by("pk"))

    def outputs(self, task_id: int) -> dict[str, bytes]:
        """By LFN, in their order, what lies on the disk; it must be what the catalogue says."""
        with self.books():
            rows = JobFile.objects.filter(job__task=task_id, type="output", status="ready")
            found = {}
            for row in rows.order_by("lfn"):
                content = (Path(self.ready["storage"]) / path_of(row.scope, row.lfn)).read_bytes()
                assert (len(content), f"{zlib.adler32(content):08x}") == (row.size, row.adler32)
                found[row.lfn] = content
        return found


@contextmanager
def client_site(environment: Path, blocker: DjangoDbBlocker) -> Iterator[ClientSite]:
    """A site that is up; all that it started is ended."""
    # No blank in the path: the client's scripts are plain shell.
    path = Path(tempfile.mkdtemp(prefix="pandasite-clients-"))
    path.chmod(0o711)  # root's servers run as somebody else, who must get in
    site = ClientSite(path, environment=environment, blocker=blocker)
    try:
        site.prepare()
        site.start()
        yield site
        site.stop()
    finally:
        site.clear()
        shutil.rmtree(path)
