"""The query string of a page. Each value is checked; a refusal names the value and the range."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from monitor.words import window_start
from pandasite.base.errors import BadInput, field_error

LONGEST = 255
SPAN = re.compile(r"([1-9][0-9]{0,3})([hd])")
LONGEST_HOURS = 365 * 24
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Period:
    """A window of time; an end that is None is open."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None


def refuse(name: str, value: str, words: str, *, code: str = "bad_value", **limit: Any) -> BadInput:
    """The error that says what `name` must be and what it was."""
    message = f"{name[:64]} must be {words}, not '{value[:80]}'"
    return BadInput(
        message, code=code, fields=[field_error(name[:64], message, code=code, **limit)]
    )


class Params:
    """The parameters that were given: known ones only, each once; empty ones do not count."""

    def __init__(self, given: QueryDict, *, known: Iterable[str]) -> None:
        names = [*known]
        for name, values in given.lists():
            if name not in names:
                raise _unknown(name, names)
            if len(values) > 1:
                raise refuse(name, " and ".join(values), "given once", code="repeated")
        found = {name: str(values[0]) for name, values in given.lists() if values}
        self.values = {name: value for name, value in found.items() if value.strip()}

    def text(self, name: str, *, longest: int = LONGEST) -> str:
        """A name; '' when it was not given."""
        value = self.values.get(name, "")
        if len(value) > longest:
            words = f"at most {longest} characters"
            raise refuse(name, value, words, code="too_long", max=longest)
        return value

    def choice(self, name: str, among: Iterable[str], *, default: str = "") -> str:
        """One of the words."""
        value, words = self.values.get(name, default), [*among]
        if value != default and value not in words:
            one_of = f"one of {', '.join(words)}"
            raise refuse(name, value, one_of, code="unknown_value", values=words)
        return value

    def number(self, name: str, *, low: int, high: int) -> int | None:
        """A whole number within the range; None when it was not given."""
        value = self.values.get(name)
        if value is None:
            return None
        # isascii: other scripts have digits, too
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise refuse(name, value, f"a number from {low} to {high}", min=low, max=high)
        if not low <= int(value) <= high:
            words = f"between {low} and {high}"
            raise refuse(name, value, words, code="out_of_range", min=low, max=high)
        return int(value)

    def hours(self, name: str) -> int | None:
        """A span such as `12h` or `7d`, in hours."""
        value = self.values.get(name)
        if value is None:
            return None
        found = SPAN.fullmatch(value)
        hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
        if not 1 <= hours <= LONGEST_HOURS:
            raise refuse(name, value, "a span from 1h to 365d, such as 12h or 7d", code="bad_span")
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


def _unknown(name: str, known: list[str]) -> BadInput:
    message = f"{name[:64]} is not a known filter (known: {', '.join(known)})"
    error = field_error(name[:64], message, code="unknown_filter", values=known)
    return BadInput(message, code="unknown_filter", fields=[error])


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
