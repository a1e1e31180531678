"""The embedded PostgreSQL: made once, started as a child, reached over a unix socket only."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from psycopg2 import sql

from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.home import Home, run_as
from pandasite.embedded.keys import Keys
from pandasite.embedded.process import Command, Identity
from pandasite.embedded.programs import PostgresPrograms

PORT = 5432  # no port is opened; it is part of the socket's name
NAME = "pandasite"
PRODDB = "proddb"  # the production database, with a role of its own
SUPERUSER = "postgres"
# For a machine of two cores that runs everything. The job table's churn wants eager vacuum.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "synchronous_commit": "on",
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_naptime": "15s",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For tests: what they write need not survive a power cut.
FORGETFUL_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One database cluster in `<home>/postgres`; `durable` is switched off by tests only."""

    home: Home
    keys: Keys
    programs: PostgresPrograms
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.home.path / "postgres"

    @property
    def sockets(self) -> Path:
        return socket_folder(self.home)

    def command(self) -> Command:
        """How to start it. SIGINT is its fast shutdown, which our sudden death brings it too."""
        settings = SERVER_SETTINGS | ({} if self.durable else FORGETFUL_SETTINGS)
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        program = str(self.programs.folder / "postgres")
        return Command(
            name="postgres",
            argv=(
                program,
                "-D",
                str(self.folder),
                "-k",
                str(self.sockets),
                "-p",
                str(PORT),
                *options,
            ),
            env=server_environment(),
            user=self.home.server_user,
            death_signal=signal.SIGINT,
            stop_signal=signal.SIGINT,
            before=self.prepare,
        )

    def prepare(self) -> None:
        """Makes the cluster if there is none, and clears what a killed server left behind."""
        self.home.make_for_server(self.sockets)
        if not self.folder.is_dir():
            self._make_cluster()
        self._check_version()
        self._await_predecessor()

    def ready(self) -> bool:
        """Whether it accepts connections; the first time, the role and the database are made."""
        try:
            connection = psycopg2.connect(**self._superuser())
        except psycopg2.OperationalError:
            return False
        with_autocommit(connection, self._make_roles_and_databases)
        return True

    def _superuser(self) -> dict[str, str | int]:
        return {
            "host": str(self.sockets),
            "port": PORT,
            "user": SUPERUSER,
            "password": self.keys.superuser_password,
            "dbname": "postgres",
            "connect_timeout": 5,
        }

    def _make_roles_and_databases(self, cursor: Any) -> None:
        # CREATEDB lets the tests make theirs; the application has no right beyond its database.
        _make(cursor, NAME, self.keys.database_password, rights="CREATEDB")
        rights = "NOCREATEDB" if self.durable else "CREATEDB"
        _make(cursor, PRODDB, self.keys.proddb_password, rights=rights)

    def _make_cluster(self) -> None:
        """Runs initdb beside the final place, so that a broken-off run leaves no half a cluster."""
        draft = self.folder.with_name("postgres.new")
        if draft.exists():
            shutil.rmtree(draft)
        self.home.make_for_server(draft)
        answer = self._initdb(draft)
        if answer.returncode != 0:
            raise EmbeddedError(f"PostgreSQL's initdb failed: {answer.stderr.strip()[-500:]}")
        draft.rename(self.folder)

    def _initdb(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """The password goes through a pipe: it stands in no argument list and in no file."""
        user = self.home.server_user
        reader, writer = os.pipe()
        if user:
            os.fchown(reader, user.uid, user.gid)
        os.write(writer, self.keys.superuser_password.encode())
        os.close(writer)
        try:
            return subprocess.run(
                self._initdb_arguments(folder, reader),
                env=server_environment(),
                cwd="/",
                pass_fds=(reader,),
                capture_output=True,
                text=True,
                **run_as(user),
            )
        finally:
            os.close(reader)

    def _initdb_arguments(self, folder: Path, reader: int) -> list[str]:
        locale = ["--no-locale"]
        if self.programs.major >= 17:  # knows letters beyond ASCII, and sorts alike on all machines
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return [
            str(self.programs.folder / "initdb"),
            f"--pgdata={folder}",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            f"--pwfile=/dev/fd/{reader}",
            "--encoding=UTF8",
            *locale,
            *([] if self.durable else ["--no-sync"]),
        ]

    def _check_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != str(self.programs.major):
            raise EmbeddedError(
                f"{self.folder} was made by PostgreSQL {made_by}, and {self.programs.folder} is "
                f"version {self.programs.major}: move the data with pg_dump, or remove the folder."
            )

    def _await_predecessor(self, *, seconds: float = 30.0) -> None:
        """Waits until a postmaster of before has gone, and clears its lock files.

        After a kill -9 its process can stay a zombie for seconds, and a new postmaster would take
        the zombie for a living owner of the lock.
        """
        lock = self.folder / "postmaster.pid"
        deadline = time.monotonic() + seconds
        while (predecessor := _postmaster(lock)) is not None:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"A PostgreSQL of before (process {predecessor.pid}) still holds "
                    f"{self.folder}: run `manage.py down`."
                )
            time.sleep(0.05)
        for leftover in (lock, *self.sockets.glob(f".s.PGSQL.{PORT}*")):
            leftover.unlink(missing_ok=True)


def socket_folder(home: Home) -> Path:
    return home.sockets / "pg"


def database_settings(home: Home, keys: Keys) -> dict[str, object]:
    """Django's DATABASES entry for the embedded server."""
    return _settings(home, NAME, keys.database_password)


def proddb_settings(home: Home, keys: Keys) -> dict[str, object]:
    """The same for the production database of the embedded server."""
    return _settings(home, PRODDB, keys.proddb_password)


def _settings(home: Home, name: str, password: str) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_folder(home)),
        "PORT": str(PORT),
        "NAME": name,
        "USER": name,
        "PASSWORD": password,
    }


def server_environment() -> dict[str, str]:
    """Messages in English and nothing of ours: no secret and no PG* variable reaches the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def with_autocommit(connection: Any, work: Callable[[Any], None]) -> None:
    """CREATE DATABASE refuses to run in a transaction."""
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            work(cursor)
    finally:
        connection.close()


def _make(cursor: Any, name: str, password: str, *, rights: str) -> None:
    """A role and its database of the same name, which nobody else may enter, if missing."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    if not cursor.fetchone():
        statement = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
        cursor.execute(
            statement.format(sql.Identifier(name), sql.SQL(rights), sql.Literal(password))
        )
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    if not cursor.fetchone():
        cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
        closed = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC")
        cursor.execute(closed.format(sql.Identifier(name)))


def _postmaster(lock: Path) -> psutil.Process | None:
    """The living process that a postmaster.pid names: pid in its line 1, start time in line 3."""
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
        pid, started = int(lines[0]), float(lines[2])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return Identity(pid=pid, created=started).process(within=60.0)
