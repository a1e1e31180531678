"""The migrations run once for all workers, in the product's own database of the test servers.

They begin with the session, beside the collection of the tests, and each worker has a copy. So has
a site that a test starts, unless it is about the migrations. What they came to is kept in
`.pytest_cache` for the sessions after this one, until anything of the product changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import NAME, PORT, Postgres, socket_folder
from pandasite.embedded.programs import PostgresPrograms
from pandasite.launcher.supervisor import Layer, Supervisor

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".pytest_cache" / "tables"
PRODUCT = ("brokerage", "datasets", "jobs", "monitor", "pandasite")
LOCK = "migrated.lock"
TABLES = "tables.sql"  # beside the lock


def begin() -> subprocess.Popen[bytes]:
    """Held until it ends, however it ends, is the lock that `wait` waits for."""
    with (settings.PANDASITE_HOME.run / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.migrated"],
            cwd=ROOT,
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
    """The tables, for the empty database of a site whose PostgreSQL runs."""
    wait()
    done = restore(home, settings.PANDASITE_HOME.run / TABLES)
    assert done.returncode == 0, done.stderr


def main() -> None:
    """In the test servers: from what is kept, else by migrating."""
    home: Home = settings.PANDASITE_HOME
    kept = KEPT / f"{digest(home)}.sql"
    if not kept.exists() or restore(home, kept).returncode != 0:
        django.setup()
        call_command("migrate", verbosity=0)
        keep(home, kept)
    shutil.copy(kept, home.run / TABLES)


def digest(home: Home) -> str:
    """Of all that migrations may read: our programs, those of others, and PostgreSQL's version."""
    files = [path for name in PRODUCT for path in (ROOT / name).rglob("*")]
    files = [path for path in files if path.suffix in (".py", ".sql")]
    found = hashlib.sha256(str(PostgresPrograms.find(home).major).encode())
    for path in (*sorted(files), ROOT / "requirements-dev.lock"):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def keep(home: Home, kept: Path) -> None:
    """Written whole, in the place of what was kept before."""
    part = kept.with_suffix(f".{os.getpid()}.part")
    KEPT.mkdir(parents=True, exist_ok=True)
    for old in KEPT.glob("*.sql"):
        old.unlink(missing_ok=True)
    with part.open("wb") as file:
        dump = PostgresPrograms.find(home).folder / "pg_dump"
        subprocess.run([dump, "--no-owner", NAME], env=client(home), check=True, stdout=file)
    part.replace(kept)


def restore(home: Home, tables: Path) -> subprocess.CompletedProcess[bytes]:
    """All of it or nothing."""
    psql = PostgresPrograms.find(home).folder / "psql"
    words = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    return subprocess.run(
        [psql, *words, f"--file={tables}", f"--dbname={NAME}"],
        env=client(home), capture_output=True,
    )  # fmt: skip


def client(home: Home) -> dict[str, str]:
    """The environment of PostgreSQL's programs, as the application."""
    return {
        "PATH": os.defpath,
        "PGHOST": str(socket_folder(home)),
        "PGPORT": str(PORT),
        "PGUSER": NAME,
        "PGPASSWORD": Keys.of(home.secrets).database_password,
    }


if __name__ == "__main__":
    main()
