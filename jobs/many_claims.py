"""Claims that wait in one process at the same time: one statement, one transaction for them all.

The rows that a claim writes must be on disk before it is answered, and each claim alone waits for
that. Several wait for it once. When one of them fails, none has happened, and each is asked alone:
so none has to answer for another.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper

from pandasite.base.postgres.shared import Shared
from pandasite.base.together import AllRefused, Together

Values = Mapping[str, Any]  # the arguments of jobs_claim
FAILURES = (DatabaseError, InterfaceError)
# A database that does not answer for so long is not asked again in the same request.
LATE_SECONDS = 2.0
LEADERS = 2  # who ask at the same time in a process: the one executes while the other commits
LINES = Shared(most=LEADERS)
_CLAIMS = "SELECT nr, answer FROM jobs_claims(%s)"


def together(alone: Callable[[BaseDatabaseWrapper, Values], Any]) -> Together[Values, Any]:
    """Where claims are asked; `alone` is for who comes when nobody waits."""

    def one(asked: Values) -> Any:
        with LINES.line() as line:
            return alone(line, asked)

    return Together(
        alone=one,
        several=several,
        key=lambda asked: (asked["account"], asked["key"]),
        most=lambda: settings.PANDASITE["CLAIMS_TOGETHER"],
        leaders=LEADERS,
        failures=FAILURES,
    )


def several(asked: Sequence[Values]) -> list[str]:
    """The answers, in the order of the questions, as JSON."""
    begun = time.monotonic()
    with LINES.line() as line:
        try:
            answers = _answers(line, asked)
        except FAILURES as error:
            if _is_lost(line):
                line.close()
                if time.monotonic() - begun > LATE_SECONDS:
                    raise AllRefused(error) from error
            raise
    return [answers[nr] for nr in range(1, len(asked) + 1)]


def _answers(line: BaseDatabaseWrapper, asked: Sequence[Values]) -> dict[int, str]:
    """By their places from 1 on."""
    with line.cursor() as cursor:
        cursor.execute(_CLAIMS, [json.dumps([*map(dict, asked)], default=_time)])
        return dict(cursor.fetchall())


def _time(value: dt.datetime) -> str:
    return value.isoformat()


def _is_lost(line: BaseDatabaseWrapper) -> bool:
    """Whether the server has gone, rather than said no."""
    return line.connection is None or bool(line.connection.closed)
