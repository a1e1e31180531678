"""The migrations run once for all workers, in the product's own database of the test servers.

They begin with the session, beside the collection of the tests, and each worker has a copy. So has
a site that a test starts, unless it is about the migrations.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from django.conf import settings

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import NAME, PORT, Postgres, socket_folder
from pandasite.embedded.programs import PostgresPrograms
from pandasite.launcher.supervisor import Layer, Supervisor

LOCK = "migrated.lock"


def begin() -> subprocess.Popen[bytes]:
    """Held until it ends, however it ends, is the lock that `wait` waits for."""
    with (settings.PANDASITE_HOME.run / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=settings.BASE_DIR,
            pass_fds=[lock.fileno()],
            # A machine that is slow enough takes longer from one statement to the next.
            env=os.environ | {"PANDASITE_STATEMENT_SECONDS": "0"},
        )


def wait() -> str:
    """The database to copy. One that broke off is copied, too: the worker goes on, and says why."""
    with (settings.PANDASITE_HOME.run / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    return NAME


def prepare(home: Home) -> None:
    """A data folder as its first start would leave it: with a cluster, databases and tables."""
    home.make()
    programs = PostgresPrograms.find(home)
    postgres = Postgres(home=home, keys=Keys.of(home.secrets), programs=programs)
    with Supervisor(logs=home.logs) as supervisor:
        supervisor.add_command(postgres.command(), layer=Layer.SERVER)
        supervisor.wait_for(["postgres"], postgres.ready, seconds=180)
        copy_to(home)


def copy_to(home: Home) -> None:
    """The tables of `wait()`, for the empty database of a site whose PostgreSQL runs."""
    programs = PostgresPrograms.find(home).folder
    with _copy() as name:
        tables = subprocess.run(
            [programs / "pg_dump", "--no-owner", name],
            env=_client(settings.PANDASITE_HOME), check=True, capture_output=True,
        ).stdout  # fmt: skip
    words = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    subprocess.run(
        [programs / "psql", *words, f"--dbname={NAME}"],
        env=_client(home), check=True, capture_output=True, input=tables,
    )  # fmt: skip


@contextmanager
def _copy() -> Iterator[str]:
    """One that may be read: workers copy the first one, to which nobody is connected then."""
    template, name = wait(), f"copy_{os.getpid()}"
    place = _client(settings.PANDASITE_HOME)
    with closing(
        psycopg2.connect(
            host=place["PGHOST"],
            port=PORT,
            user=NAME,
            password=place["PGPASSWORD"],
            dbname="postgres",
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            yield name
            cursor.execute(f"DROP DATABASE {name}")


def _client(home: Home) -> dict[str, str]:
    """The environment of PostgreSQL's programs, as the application."""
    return {
        "PATH": os.defpath,
        "PGHOST": str(socket_folder(home)),
        "PGPORT": str(PORT),
        "PGUSER": NAME,
        "PGPASSWORD": Keys.of(home.secrets).database_password,
    }
