"""A Rucio server of its own process, on a database beside that of the tests."""

from __future__ import annotations

import configparser
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import psycopg2.sql
import requests
from django.conf import settings

from deploy.rucio import ensure_rucio
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings, with_autocommit
from pandasite.embedded.process import Command
from tests.flow.installation import eventually

DATABASE = "rucio"
ROOT = ("root", "ddmlab", "canary-root-11c9")  # account, user, password
BOOTSTRAP = """
from rucio.db.sqla.util import build_database, create_base_vo, create_root_account
build_database(); create_base_vo(); create_root_account()
"""
SECONDS = 120.0
NO_LOGGING = {  # the migrations insist on a configuration of it
    "formatters": {"keys": ""},
    "handlers": {"keys": ""},
    "loggers": {"keys": "root"},
    "logger_root": {"level": "WARNING", "handlers": ""},
}


class RucioServer:
    """Started and stopped by the test; `call` is what an administrator or a daemon does."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""
        self.log = folder / "rucio.log"

    # -- the server ------------------------------------------------------------------------

    def make(self) -> None:
        """Its configuration and its tables, with the account of ROOT."""
        url, database = _database()
        _make_database(database)
        alembic = {"script_location": "rucio:db/sqla/migrate_repo", "sqlalchemy.url": url}
        _write(self.folder / "alembic.ini", {"alembic": alembic, **NO_LOGGING})
        self._configure(url)
        self.run("-c", BOOTSTRAP)

    def _configure(self, url: str) -> None:
        _account, user, password = ROOT
        client = {"rucio_host": self.url, "auth_host": self.url, "auth_type": "userpass"}
        _write(
            self.folder / "rucio.cfg",
            {
                "common": {"logdir": str(self.folder), "loglevel": "WARNING"},
                "client": client,
                "database": {"default": url, "echo": "0", "pool_size": "2"},
                "bootstrap": {"userpass_identity": user, "userpass_pwd": password},
                "alembic": {"cfg": str(self.folder / "alembic.ini")},
                "policy": {"permission": "generic", "schema": "generic"},
            },
        )

    def run(self, *words: str) -> str:
        """Rucio's Python with these words, which must end well."""
        done = subprocess.run(
            [str(self.python), *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        words = ("-m", "gunicorn", "--threads", "4", "--bind", f"127.0.0.1:{self.port}")
        application = "rucio.web.rest.flaskapi.v1.main:application"
        command = Command(
            name="rucio",
            argv=(str(self.python), *words, "--graceful-timeout", "1", application),
            env=self._environment(),
        )
        self.process = command.start(self.log)
        eventually(self._answers, seconds=SECONDS, what=self.said)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        try:
            return requests.get(f"{self.url}/ping", timeout=5).ok
        except requests.RequestException:
            return False

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "RUCIO_CONFIG": str(self.folder / "rucio.cfg"),
            "HOME": str(self.folder),
        }

    # -- what others do there --------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """As ROOT; the answer, which must be good."""
        account, user, password = ROOT
        if not self.token:
            headers = {"X-Rucio-Account": account, "X-Rucio-Username": user}
            headers["X-Rucio-Password"] = password
            told = requests.get(f"{self.url}/auth/userpass", headers=headers, timeout=30)
            self.token = told.headers["X-Rucio-Auth-Token"]
        headers = {"X-Rucio-Auth-Token": self.token}
        answer = requests.request(
            method, f"{self.url}{path}", json=body, headers=headers, timeout=30
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}\n{self.said()}"
        return answer

    def add_account(self, account: str, user: str, password: str) -> None:
        """A service that may register replicas."""
        self.call("POST", f"/accounts/{account}", {"type": "SERVICE", "email": "a@example.org"})
        identity = {"identity": user, "authtype": "USERPASS", "email": "a@example.org"}
        self.call("POST", f"/accounts/{account}/identities", identity | {"password": password})
        self.call("POST", f"/accounts/{account}/attr/admin", {"key": "admin", "value": "true"})

    def add_rse(self, name: str, folder: Path, *, account: str) -> None:
        self.call("POST", f"/rses/{name}", {"deterministic": True})
        both = {"read": 1, "write": 1, "delete": 1}
        protocol = {
            "hostname": "localhost",
            "port": 0,
            "prefix": f"{folder}/",
            "impl": "rucio.rse.protocols.posix.Default",
            "domains": {"lan": both, "wan": both | {"third_party_copy_read": 1,
                        "third_party_copy_write": 1}},
        }  # fmt: skip
        self.call("POST", f"/rses/{name}/protocols/file", protocol)
        self.call("POST", f"/accountlimits/local/{account}/{name}", {"bytes": 10**15})

    def evaluate(self) -> None:
        """A round of the daemon that gives members which came later to the rules."""
        self.run("-c", _EVALUATE)


_EVALUATE = """
from rucio.daemons.judge.evaluator import run
run(once=True, threads=1)
"""


@contextmanager
def rucio_server() -> Iterator[RucioServer]:
    """Installed, made and started; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pandasite-rucio-") as place:
        server = RucioServer(ensure_rucio(), Path(place))
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _database() -> tuple[str, dict[str, Any]]:
    home = settings.PANDASITE_HOME
    found = database_settings(home, Keys.of(home.secrets))
    user, password, folder = (
        quote(str(found[key]), safe="") for key in ("USER", "PASSWORD", "HOST")
    )
    return f"postgresql+psycopg://{user}:{password}@/{DATABASE}?host={folder}", found


def _make_database(found: Mapping[str, Any]) -> None:
    connection = psycopg2.connect(
        host=found["HOST"], user=found["USER"], password=found["PASSWORD"], dbname=found["NAME"]
    )
    make = psycopg2.sql.SQL("CREATE DATABASE {}").format(psycopg2.sql.Identifier(DATABASE))
    with_autocommit(connection, lambda cursor: cursor.execute(make))


def _write(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    config = configparser.ConfigParser(interpolation=None)
    for name, values in sections.items():
        config[name] = {key: value.replace("%", "%%") for key, value in values.items()}
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    path.chmod(0o600)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
