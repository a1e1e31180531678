"""Claims as the database is asked for them: one, or all that wait in a process at the same time.

One statement and one transaction for them all (`jobs/sql/claims.sql`): the rows that a claim writes
must be on disk before it is answered, and what a statement takes to begin is more than what a claim
adds to it. When one of several fails, none has happened, and each is asked alone: so none has to
answer for another.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from brokerage.policy import Limits
from jobs.skew import NOTED
from pandasite.base.postgres.shared import Shared
from pandasite.base.together import AllRefused, Together

Values = Mapping[str, Any]  # a claim, by the names of COLUMNS
Answer = Mapping[str, Any]  # its outcome, and what goes with it
FAILURES = (DatabaseError, InterfaceError)
# A database that does not answer for so long is not asked again in the same request.
LATE_SECONDS = 2.0
LEADERS = 1  # who ask at the same time in a process: with two of them groups are half as large
LINES = Shared(most=LEADERS)
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Threads that keep no connection when they have nothing to do."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As ever."""
        return super().submit(_and_hang_up, work, *args, **kwargs)


def _and_hang_up(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    finally:
        connections.close_all()


# For claims that no thread waits for: who asks for those that have come meanwhile, and who has to
# say what was wrong with one.
THREADS = Threads(max_workers=8, thread_name_prefix="claims")

# Those of jobs_ask, in their order.
COLUMNS = (
    "token", "account", "site", "key", "body", "pilot_id", "node", "factory", "cpu_speed_mhz",
    "memory_mb", "free_disk_mb", "core_count", "releases", "labels", "n_jobs", "salt", "leases",
    "sent_at",
)  # fmt: skip
CLAIMS = (
    "SELECT jobs_claims(%(asked)s, %(install)s, %(reprocessing)s, %(sent_seconds)s, %(noted)s,"
    " %(now)s)"
)
_of_a_claim = itemgetter(*COLUMNS)
# What stands for itself in the text of a row or of an array, without quotes.
_is_plain = re.compile(r"[\w.:|/@+-]+", re.ASCII).fullmatch


def together() -> Together[Values, Answer]:
    """Where claims are asked."""
    return Together(
        alone=lambda asked: several([asked])[0],
        several=several,
        keys=lambda asked: ((asked["account"], asked["key"]), (asked["site"], asked["pilot_id"])),
        most=lambda: settings.PANDASITE["CLAIMS_TOGETHER"],
        leaders=LEADERS,
        failures=FAILURES,
        threads=THREADS,
    )


def several(asked: Sequence[Values]) -> list[Answer]:
    """The answers, in the order of the questions. No two have the same key or the same pilot."""
    begun = time.monotonic()
    with LINES.line() as line:
        try:
            return answers(line, asked)
        except FAILURES as error:
            if _is_lost(line):
                line.close()
                if len(asked) > 1 and time.monotonic() - begun > LATE_SECONDS:
                    raise AllRefused(error) from error
            raise


def answers(
    line: BaseDatabaseWrapper, asked: Sequence[Values], *, now: dt.datetime | None = None
) -> list[Answer]:
    """As `several`, on this connection. `now` is the database's clock unless it is given."""
    order = sorted(range(len(asked)), key=lambda nr: asked[nr]["site"])
    values: dict[str, Any] = {
        "asked": text([asked[nr] for nr in order]),
        "install": _INSTALL,
        "reprocessing": _REPROCESSING,
        "sent_seconds": settings.PANDASITE["SENT_SECONDS"],
        "noted": NOTED,
        "now": now,
    }
    with line.cursor() as cursor:
        cursor.execute(CLAIMS, values)
        told = cursor.fetchone()[0]
    found: list[Any] = [{"outcome": "jobs", "jobs": []} for _ in asked]
    for other in told["others"]:
        found[order[other["nr"] - 1]] = other
    for job in told["jobs"] or ():
        found[order[job[-1] - 1]]["jobs"].append(job)
    return found


def text(asked: Sequence[Values]) -> str:
    """Claims as PostgreSQL writes an array of jobs_ask: the driver takes ten times longer."""
    rows = ("(" + ",".join([_field(value) for value in _of_a_claim(one)]) + ")" for one in asked)
    return "{" + ",".join([_quoted(row) for row in rows]) + "}"


def array(texts: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    return "{" + ",".join([_element(text) for text in texts]) + "}"


def _field(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return value if _is_plain(value) else _quoted(value)


def _element(value: str) -> str:
    return value if _is_plain(value) and value.upper() != "NULL" else _quoted(value)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_lost(line: BaseDatabaseWrapper) -> bool:
    """Whether the server has gone, rather than said no."""
    return line.connection is None or bool(line.connection.closed)


_WORDS = Limits()  # which labels and processing types are which, as brokerage has it
_INSTALL = array(sorted(_WORDS.install_labels))
_REPROCESSING = array(sorted(_WORDS.reprocessing_types))
