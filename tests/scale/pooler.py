"""PgBouncer in transaction mode between the hosts and PostgreSQL, as docs/production.md has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import OperationalError

from pandasite.embedded.postgres import NAME, socket_folder
from pandasite.embedded.process import Command
from pandasite.engines import TIMEOUTS_MS
from tests.flow.installation import eventually
from tests.scale.site import ScaleSite

PORT = 6432
SERVER_CONNECTIONS = 8
STATEMENT_MS = 15_000
SETTINGS = """
[databases]
{name} = host='{postgres}' port=5432 dbname={name}

[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
unix_socket_mode = 0700
listen_port = {port}
auth_type = plain
auth_file = {folder}/users.txt
admin_users = {name}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 1000
server_reset_query =
"""


class Pooler:
    """A PgBouncer of the site; `url` is where a host finds it."""

    def __init__(self, site: ScaleSite, program: Path) -> None:
        self.site = site
        self.program = program
        # A socket's path may not be long.
        self.folder = site.home.sockets / "pb"
        self.url = site.database_url(str(self.folder), PORT)

    def start(self) -> None:
        """It refuses to run as root, and cannot always read where the program lies."""
        self.site.home.make_for_server(self.folder)
        program = self._put("pgbouncer", self.program.read_bytes(), mode=0o700)
        users = f'"{NAME}" "{self.site.keys.database_password}"\n'
        self._put("users.txt", users.encode(), mode=0o600)
        settings = SETTINGS.format(
            name=NAME,
            postgres=socket_folder(self.site.home),
            folder=self.folder,
            port=PORT,
            connections=SERVER_CONNECTIONS,
        )
        file = self._put("pgbouncer.ini", settings.encode(), mode=0o600)
        command = Command(
            name="pgbouncer",
            argv=(str(program), str(file)),
            user=self.site.home.server_user,
        )
        self.site.start_process(command, self.site.home.logs / "pgbouncer.log")
        eventually(self._answers, what=self._log)

    def _put(self, name: str, content: bytes, *, mode: int) -> Path:
        """A file that only the servers' user may read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        path.chmod(mode)
        if user := self.site.home.server_user:
            os.chown(path, user.uid, user.gid)
        return path

    def _answers(self) -> bool:
        try:
            with self.client() as client, client.cursor() as cursor:
                cursor.execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def _log(self) -> str:
        return (self.site.home.logs / "pgbouncer.log").read_text(encoding="utf-8")

    def limit_role(self) -> None:
        """The time limits that hosts cannot ask for when connecting, by ALTER ROLE."""
        limits = {"statement_timeout": STATEMENT_MS, **TIMEOUTS_MS}
        with self.site.books():
            from django.db import connection

            with connection.cursor() as cursor:
                for name, value in limits.items():
                    cursor.execute(f"ALTER ROLE {NAME} SET {name} = {value}")

    @contextmanager
    def client(self, database: str = NAME) -> Iterator[Any]:
        """A connection of its own through the pooler; `pgbouncer` is its console."""
        client = psycopg2.connect(
            host=str(self.folder),
            port=PORT,
            user=NAME,
            password=self.site.keys.database_password,
            dbname=database,
        )
        client.autocommit = True
        try:
            yield client
        finally:
            client.close()

    def pools(self) -> dict[str, int]:
        """What the console says of the pool of our database."""
        with self.client("pgbouncer") as client, client.cursor() as cursor:
            cursor.execute("SHOW POOLS")
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return next(row for row in rows if row["database"] == NAME)
