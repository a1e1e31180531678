"""`pgbench`, which comes with PostgreSQL: what the database itself can do, without us."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import database_settings, server_environment
from pandasite.embedded.programs import PostgresPrograms

THREADS = 2
SECONDS_MAX = 600
_RATE = re.compile(r"tps = ([0-9.]+) \(without initial connection time\)")
_DONE = re.compile(r"number of transactions actually processed: (\d+)")
_LATENCY = re.compile(r"latency average = ([0-9.]+) ms")


class PgbenchError(Exception):
    """It failed, or printed what we cannot read."""


@dataclass(frozen=True)
class Run:
    """Statements that were done, their rate per second, and their mean latency."""

    done: int
    rate: float
    latency_ms: float


def run(home: Home, script: str, *, clients: int, transactions: int) -> Run:
    """Run a script `transactions` times in all by so many clients, prepared, over the socket."""
    with tempfile.TemporaryDirectory(prefix="pandasite-bench-") as folder:
        file = Path(folder) / "script.sql"
        file.write_text(script, encoding="utf-8")
        return _read(_call(home, _arguments(home, file, clients, transactions)))


def _arguments(home: Home, file: Path, clients: int, transactions: int) -> list[str]:
    each = max(1, transactions // clients)
    how = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(THREADS, clients))]
    program = PostgresPrograms.find(home).folder / "pgbench"
    return [str(program), *how, "-t", str(each), "-f", str(file)]


def _call(home: Home, argv: list[str]) -> str:
    place = database_settings(home, Keys.of(home.secrets))
    connect = {
        "PGHOST": str(place["HOST"]),
        "PGPORT": str(place["PORT"]),
        "PGDATABASE": str(place["NAME"]),
        "PGUSER": str(place["USER"]),
        "PGPASSWORD": str(place["PASSWORD"]),
    }
    answer = subprocess.run(
        argv,
        env=server_environment() | connect | {"HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    if answer.returncode != 0:
        raise PgbenchError(answer.stderr.strip()[-1000:])
    return answer.stdout


def _read(text: str) -> Run:
    found = [pattern.search(text) for pattern in (_DONE, _RATE, _LATENCY)]
    if not all(found):
        raise PgbenchError(f"pgbench printed something else: {text[-500:]}")
    done, rate, latency = (match[1] for match in found if match)
    return Run(done=int(done), rate=float(rate), latency_ms=float(latency))
