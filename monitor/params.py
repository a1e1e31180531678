"""The query string of a page: the common rules, and the times that only pages ask for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.words import window_start
from pandasite.base import params
from pandasite.base.params import refuse

SPAN = re.compile(r"([1-9][0-9]{0,3})([hd])")
LONGEST_HOURS = 365 * 24
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Period:
    """A window of time; an end that is None is open."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None


class Params(params.Params):
    """The parameters of a page."""

    def hours(self, name: str, *, longest: int = LONGEST_HOURS) -> int | None:
        """A span such as `12h` or `7d`, in hours; the longest is one of whole days."""
        value = self.values.get(name)
        if value is None:
            return None
        found = SPAN.fullmatch(value)
        hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
        if not 1 <= hours <= longest:
            words = f"a span from 1h to {longest // 24}d, such as 12h or 7d"
            raise refuse(name, value, words, code="bad_span")
        return hours

    def period(self, name: str, *, now: dt.datetime) -> Period:
        """`12h` (since the full hour), or `FROM..TO`: ISO times (UTC), one of them may be empty."""
        value = self.values.get(name)
        if value is None:
            return Period()
        since, dots, until = value.partition("..")
        if not dots:
            return Period(since=window_start(now, self.hours(name) or 0))
        return Period(since=_time(name, value, since), until=_time(name, value, until))


def _time(name: str, value: str, text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        time = dt.datetime.fromisoformat(text)
        time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
        inside = EARLIEST <= time < LATEST
    except (ValueError, OverflowError):
        inside = False
    if not inside:
        words = "times from 2000-01-01 to 2099-12-31 such as 2026-11-21T10:00..2026-11-22"
        raise refuse(name, value, words, code="bad_time")
    return time


def shown_value(given: Mapping[str, str], name: str) -> str:
    """What was given for a parameter, short enough for an error page."""
    return given.get(name, "")[:200]
