"""The site of these tests, and what a user does there over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from pytest_django import DjangoDbBlocker

from jobs.models import Job
from jobs.states import FINAL
from pandasite.demo.client import Client
from tests.flow.installation import Installation, eventually
from tests.flow.processes import Family
from tests.pilots.foreign import ForeignPilot, Isolation
from tests.pilots.grid import DATA, DATASET, PASSWORD, QUEUE, READY, SCOPE, USER
from tests.pilots.grid_security import GridSecurity

MAPFILE = """\
#issuer "/DC=ch/DC=test/CN=Test CA"
"/DC=ch/DC=test/OU=Users/CN=factory" pilot@{queue}
"""
LIMITS = {"PANDASITE_SWEEP_SECONDS": "1", "PANDASITE_CLOSE_MINUTES": "0"}
START_SECONDS = 120.0


class PilotSite(Installation):
    """One installation, and pilots of PanDA that serve its queue."""

    def __init__(
        self, path: Path, *, program: Path, isolation: Isolation, blocker: DjangoDbBlocker
    ) -> None:
        super().__init__(path, family=Family(), blocker=blocker)
        self.program = program
        self.isolation = isolation
        self.ready: dict[str, Any] = {}
        self.security = GridSecurity.make(path / "grid")

    @property
    def url(self) -> str:
        return str(self.ready["url"]).rstrip("/")

    @property
    def storage(self) -> Path:
        return Path(self.ready["storage"])

    def start(self) -> None:
        self.launch(sys.executable, "-m", "tests.pilots.bring_up", environment=self._settings())
        eventually(self._is_ready, seconds=START_SECONDS, what=self.said)
        self._map_the_factory()

    def _settings(self) -> dict[str, str]:
        return LIMITS | self.security.environment()

    def _map_the_factory(self) -> None:
        """As an administrator does it: the certificate of a factory is that of a site's pilots."""
        path = self.home.path / "grid-mapfile"
        path.write_text(MAPFILE.format(queue=QUEUE), encoding="utf-8")
        words = (sys.executable, "manage.py", "gridmap", str(path))
        place = {"PANDASITE_DATA": str(self.home.path)}
        subprocess.run(words, check=True, env=os.environ | place, cwd=settings.BASE_DIR)

    def _is_ready(self) -> bool:
        assert self.launcher.poll() is None, self.said()
        path = self.home.path / READY
        if path.exists():
            self.ready = json.loads(path.read_text(encoding="ascii"))
        return bool(self.ready)

    def announce(self) -> None:
        """A pilot asks for work once: brokerage sends jobs where pilots were seen."""
        asked = {"siteName": QUEUE, "node": "scout", "prodSourceLabel": "user"}
        headers = {"Authorization": f"Bearer {self.ready['pilot']}", "Accept": "application/json"}
        told = requests.post(
            f"{self.url}/server/panda/getJob", data=asked, headers=headers, timeout=30
        )
        assert told.json()["StatusCode"] == 20, told.text

    def submit(self, program: str, *, output: str = "") -> int:
        """A job that runs this program on the numbers; its PandaID."""
        inputs = [{"lfn": lfn, "scope": SCOPE, "dataset": DATASET} for lfn in (program, DATA)]
        made = {"lfn": output, "scope": SCOPE, "dataset": "user.alice.sums"}
        job = {
            "job_name": program, "prod_source_label": "user", "vo": "atlas",
            "transformation": program, "job_parameters": output, "max_attempt": 1,
            "input_files": inputs, "output_files": [made] if output else [],
        }  # fmt: skip
        told = Client(self.url, self.ready["user"]).post(
            "/rest/v1/jobs", {"jobs": [job]}, headers={}
        )
        return int(told["jobs"][0]["panda_id"])

    def start_pilot(self, name: str) -> None:
        """By HTTP, with a token."""
        self._start(name, server=self.url, token=self.ready["pilot"])

    def start_pilot_with_proxy(self, name: str) -> None:
        """By HTTPS, with a proxy of the factory's certificate.

        The pilot gives one file to curl for certificate, key and authorities.
        """
        ca = self.security.ca
        proxy = ca.proxy(ca.user("factory")).pem + ca.pem
        server = str(self.ready["tls_url"]).rstrip("/")
        self._start(name, server=server, proxy=proxy, authorities=self.security.authorities)

    def _start(self, name: str, **how: Any) -> None:
        pilot = ForeignPilot(
            program=self.program,
            folder=self.home.path / name,
            isolation=self.isolation,
            queue=QUEUE,
            storage=self.storage,
            **how,
        )
        self.start_process(pilot.command(name), self.home.logs / f"{name}.log")

    def kill_from_the_page(self, panda_id: int, *, reason: str) -> None:
        """As a person does it: log in, ask for the deed, give the reason."""
        with requests.Session() as browser:
            login = {"username": USER, "password": PASSWORD}
            self._submit_form(browser, "/login/", login)
            order = {"action": "kill", "ids": str(panda_id), "reason": reason}
            page = f"/jobs/act?action=kill&id={panda_id}"
            self._submit_form(browser, page, order, to="/jobs/act/do")

    def _submit_form(
        self, browser: requests.Session, page: str, values: dict[str, str], *, to: str = ""
    ) -> None:
        form = browser.get(f"{self.url}{page}", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token, form.text
        values = values | {"csrfmiddlewaretoken": token[1]}
        done = browser.post(
            f"{self.url}{to or page}", data=values, timeout=30, headers={"Referer": form.url}
        )
        assert done.ok, done.text

    def state(self, panda_id: int) -> str:
        with self.books():
            return str(Job.objects.get(pk=panda_id).state)

    def await_state(self, panda_id: int, *states: str, seconds: float) -> None:
        wanted = states or FINAL
        eventually(
            lambda: self.state(panda_id) in wanted,
            seconds=seconds,
            pause=1.0,
            what=lambda: f"{panda_id} is {self.state(panda_id)}\n{self.pilot_logs()}",
        )

    def pilot_logs(self) -> str:
        """The last of what each pilot said."""
        texts = []
        for path in sorted(self.home.logs.glob("pilot*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            texts.append(f"== {path.name}\n" + "\n".join(lines[-40:]))
        return "\n".join(texts)


@contextmanager
def pilot_site(
    program: Path, isolation: Isolation, blocker: DjangoDbBlocker
) -> Iterator[PilotSite]:
    """A site that is up; all that it started is ended."""
    # No blank in the path: pilots give it to a shell as it is.
    path = Path(tempfile.mkdtemp(prefix="pandasite-pilots-"))
    path.chmod(0o711)  # root's servers and a pilot's own user must get in
    site = PilotSite(path, program=program, isolation=isolation, blocker=blocker)
    try:
        site.prepare()
        site.start()
        yield site
        site.stop()
    finally:
        site.clear()
        shutil.rmtree(path)
