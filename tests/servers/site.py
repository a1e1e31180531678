"""A site with its TLS port, nginx and Apache in front of it, and whose certificates are whose."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from pytest_django import DjangoDbBlocker
from requests.adapters import HTTPAdapter

from pandasite.embedded.process import Command
from tests.flow.installation import Installation, eventually
from tests.flow.processes import Family
from tests.identity.x509.grid_ca import Authority, Holder
from tests.pilots.grid import QUEUE, READY
from tests.pilots.grid_security import GridSecurity
from tests.servers import fronts

START_SECONDS = 120.0
SECRET = "canary-front-6d1c0b2f-of-thirty-two-characters"
INSTALLED = "/opt/pandasite"  # where the units of systemd have the code
ME = "/rest/v1/me"
MAPFILE = """\
#issuer "/DC=ch/DC=test/CN=Test CA"
"/DC=ch/DC=test/OU=Users/CN=Alice" alice
"/DC=ch/DC=test/OU=Users/CN=factory" pilot@{queue}
"""


class From(HTTPAdapter):
    """Connects from this address of the machine, which has many on its loopback interface."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, source_address=(self.source, 0), **kwargs)


class GridSite(Installation):
    """One installation, and the servers in front of it by their names."""

    def __init__(self, path: Path, *, below: Path | None, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=Family(), blocker=blocker)
        self.below = below
        self.ready: dict[str, Any] = {}
        self.security = GridSecurity.make(path / "grid")
        self.at: dict[str, str] = {}  # address by the name of who ends the TLS

    @property
    def ca(self) -> Authority:
        return self.security.ca

    def start(self) -> None:
        trusted = {"PANDASITE_TRUSTED_PROXIES": "127.0.0.1"}
        environment = self.security.environment() | trusted
        environment |= {"PANDASITE_TRUSTED_PROXY_SECRET": SECRET}
        self.launch(sys.executable, "-m", "tests.pilots.bring_up", environment=environment)
        eventually(self._is_ready, seconds=START_SECONDS, what=self.said)
        self.at = {"plain": self.ready["url"].rstrip("/"), "own": self.ready["tls_url"].rstrip("/")}
        eventually(lambda: self.calls("own").ok, seconds=START_SECONDS, what=self.said)
        self.manage("gridmap", MAPFILE.format(queue=QUEUE))

    def start_front(self, name: str) -> None:
        """nginx or apache, with the file of deploy/."""
        assert self.below is not None
        here = self.home.path / name
        here.mkdir()
        bundles = settings.BASE_DIR / "deploy" / "grid" / "bundles"
        no_reload = os.environ | {"NO_RELOAD": "1"}
        words = [str(bundles), str(self.security.authorities), str(here)]
        subprocess.run(words, check=True, env=no_reload)
        place = fronts.Place(
            here=here, below=self.below, site=self.at["plain"].removeprefix("http://"),
            tls=self.at["own"].removeprefix("https://"), passed_on=fronts.free_port(),
            secret=SECRET, host=self.security.host, authorities=self.security.authorities,
        )  # fmt: skip
        port = fronts.free_port()
        log = here / "output"
        self.start_process(getattr(fronts, name)(place, port), log)
        self.at[name] = f"https://127.0.0.1:{port}"
        if name == "nginx":
            self.at["passed on"] = f"https://127.0.0.1:{place.passed_on}"
        eventually(lambda: self.calls(name).ok, seconds=30.0, what=log.read_text)

    def start_unit(self, unit: Path) -> tuple[subprocess.Popen[bytes], int]:
        """What a unit of systemd starts, in this site; and its port, 0 where it has none."""
        text = unit.read_text(encoding="utf-8")
        (line,) = re.findall("^ExecStart=(.+)$", text, re.MULTILINE)
        words = shlex.split(line.replace("%%", "%"))
        assert words.pop(0) == f"{INSTALLED}/.venv/bin/python"
        port = fronts.free_port() if "--bind" in words else 0
        if port:
            words[words.index("--bind") + 1] = f"127.0.0.1:{port}"
        place = {"PANDASITE_DATA": str(self.home.path)}
        command = Command(
            name=unit.stem, argv=(sys.executable, *words), cwd=str(settings.BASE_DIR),
            env=os.environ | self.security.environment() | place,
        )  # fmt: skip
        return self.start_process(command, self.home.logs / f"{unit.stem}.log"), port

    def manage(self, command: str, text: str) -> None:
        """A command of ours that reads this file."""
        path = self.home.path / "grid-mapfile"
        path.write_text(text, encoding="utf-8")
        words = [sys.executable, "manage.py", command, str(path)]
        place = {"PANDASITE_DATA": str(self.home.path)}
        subprocess.run(words, check=True, env=os.environ | place, cwd=settings.BASE_DIR)

    def calls(self, by: str, path: str = "/healthz/live") -> requests.Response:
        """What comes back; a response of 599 where nobody answers."""
        try:
            return self.ask(by, None, path)
        except requests.RequestException:
            nobody = requests.Response()
            nobody.status_code = 599
            return nobody

    def ask(
        self, by: str, holder: Holder | None, path: str = ME, *, source: str = "", **headers: str
    ) -> requests.Response:
        """A call with this certificate and these headers, from this address of the machine.

        requests.exceptions.SSLError.
        """
        with tempfile.TemporaryDirectory() as folder, requests.Session() as session:
            session.trust_env = False
            if source:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, From(source))
            cert = str(holder.write(Path(folder, "client.pem"))) if holder else None
            sent = {name.replace("__", "-"): value for name, value in headers.items()}
            verify = str(self.security.root)
            return session.get(
                f"{self.at[by]}{path}", cert=cert, verify=verify, headers=sent, timeout=30
            )

    def logs(self) -> str:
        """All that any process of this site has written."""
        files = [*self.home.path.rglob("*.log"), *self.home.path.rglob("output")]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    def _is_ready(self) -> bool:
        assert self.launcher.poll() is None, self.said()
        path = self.home.path / READY
        if path.exists():
            self.ready = json.loads(path.read_text(encoding="ascii"))
        return bool(self.ready)


def pem(holder: Holder) -> str:
    return holder.certificate.public_bytes(Encoding.PEM).decode()


@contextmanager
def grid_site(below: Path | None, blocker: DjangoDbBlocker) -> Iterator[GridSite]:
    """A site that is up; all that it started is ended."""
    path = Path(tempfile.mkdtemp(prefix="pandasite-servers-"))
    path.chmod(0o711)  # Apache's and the database's own users must get in
    site = GridSite(path, below=below, blocker=blocker)
    try:
        site.prepare()
        site.start()
        yield site
        site.stop()
    finally:
        site.clear()
        shutil.rmtree(path)
