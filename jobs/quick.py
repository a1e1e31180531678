"""The short way of a report: one statement that takes it, or leaves it untouched.

The functions are in jobs/sql/report.sql. Each call here is a transaction of its own, and what it
does not answer is for jobs/judge.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg2.extras import Json

from jobs import lease
from jobs.identity import Caller, TokenGone
from jobs.said import LOG_SCOPE, Answer, Report, log_name
from jobs.skew import NOTED
from pandasite.base.nudge import nudge

Now = dt.datetime | None  # None: the database's clock

_BEAT = """
SELECT state, replayed
FROM jobs_beat(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::timestamptz)
"""
_BEATS = """
SELECT panda_id, state, replayed
FROM jobs_beats(%s, %s, %s, %s::bigint[], %s::integer[], %s::text[], %s::integer[],
  %s::text[], %s::integer[], %s::integer[], %s::text[], %s::boolean[], %s,
  %s::timestamptz)
"""
_FINAL_WORD = """
SELECT jobs_final_word(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
  %s::jsonb, %s::jsonb, %s, %s::jsonb, %s::timestamptz, %s, %s::timestamptz)
"""


def beat(*, caller: Caller, report: Report, now: Now) -> Answer | None:
    """A heartbeat, with or without a change of state. Raises TokenGone, as all here do."""
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, [*_caller(caller), *_heard(report), *_lease(now)])
        state, replayed = cursor.fetchone()
    return None if _no_answer(state) else Answer(state=state, replayed=replayed)


def beats(*, caller: Caller, reports: Sequence[Report], now: Now) -> dict[int, Answer]:
    """Heartbeats of so many jobs that change no state, by PandaID; at most one of each job."""
    columns: list[Any] = [
        _array([report.panda_id for report in reports]),
        _array([report.attempt_nr for report in reports]),
        _array([lease.fingerprint(report.lease_token) for report in reports]),
        _array([report.seq for report in reports]),
        _array([report.state for report in reports]),
        _array([report.cpu_consumption_time for report in reports]),
        _array([report.max_rss_mb for report in reports]),
        _tails([report.stdout_tail for report in reports]),
        _array([report.truncated for report in reports]),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_BEATS, [*_caller(caller), *columns, *_lease(now)])
        rows = cursor.fetchall()
    return {
        panda_id: _heard_now(state, again)
        for panda_id, state, again in rows
        if not _no_answer(state)
    }


def _array(values: list[Any]) -> str:
    """Numbers, digests and states as PostgreSQL writes an array: the driver takes ten times longer.

    None of them needs a quote.
    """
    texts = (
        map(str, values)
        if None not in values
        else ["NULL" if v is None else str(v) for v in values]
    )
    return "{" + ",".join(texts) + "}"


def _tails(tails: list[str | None]) -> Any:
    """Texts that may need anything, which most heartbeats do not have."""
    return tails if any(tail is not None for tail in tails) else _array(tails)


@cache  # a call has a hundred that are alike
def _heard_now(state: str, replayed: bool) -> Answer:
    return Answer(state=state, replayed=replayed)


def final_word(*, caller: Caller, report: Report, now: Now) -> Answer | None:
    """The last word on a job, with its outputs."""
    if report.log_file and report.log_file.lfn != log_name(report.panda_id, report.attempt_nr)[1]:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_FINAL_WORD, [*_caller(caller), *_heard(report), *_ended(report), now])
        (state,) = cursor.fetchone()
    if _no_answer(state):
        return None
    nudge("jobs.register")
    return Answer(state=state)


def _no_answer(state: str | None) -> bool:
    if state == "token_gone":
        raise TokenGone
    return state is None


def _caller(caller: Caller) -> list[Any]:
    return [caller.token, caller.account_id, caller.site_id]


def _heard(report: Report) -> list[Any]:
    return [
        report.panda_id,
        report.attempt_nr,
        lease.fingerprint(report.lease_token),
        report.seq,
        report.state,
        report.cpu_consumption_time,
        report.max_rss_mb,
        report.stdout_tail,
        report.truncated,
    ]


def _lease(now: Now) -> list[Any]:
    return [settings.PANDASITE["LEASE_SECONDS"], now]


def _ended(report: Report) -> list[Any]:
    blame = report.blame() if report.state == "failed" else {}
    names = ("pilot_error_code", "pilot_error_diag", "exe_error_code", "exe_error_diag")
    return [
        report.exit_code,
        *(blame.get(name) for name in names),
        Json([asdict(file) for file in report.output_files]),
        Json(asdict(report.log_file)) if report.log_file else None,
        LOG_SCOPE,
        Json(report.reason()),
        report.sent_at,
        NOTED,
    ]
