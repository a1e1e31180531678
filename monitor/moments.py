"""Moments that stand in a sentence: the browser can show them in the zone of the reader."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from django.utils.html import format_html, format_html_join

# As our sentences write them: `2009-11-27 18:00 UTC`, `11-27 18:00 UTC`, `18:00:07 UTC`.
_SAID = re.compile(
    r"(?<![0-9-])(?:(?:([0-9]{4})-)?([0-9]{2}-[0-9]{2}) )?([0-9]{2}:[0-9]{2}(?::[0-9]{2})?) UTC\b"
)
_DAY = dt.timedelta(days=1)


def in_zones(text: str, *, now: dt.datetime) -> str:
    """The text as HTML, its moments as `<time>` (see times.js) with the name of the zone behind.

    What a moment leaves out, its year or its day, is such that it is the nearest to `now`.
    """
    return format_html_join("", "{}", ((part,) for part in _parts(text, now)))


def _parts(text: str, now: dt.datetime) -> Iterator[str]:
    end = 0
    for found in _SAID.finditer(text):
        year, day, clock = found.groups()
        moment = _moment(year, day, clock, now)
        if moment is None:
            continue
        yield text[end : found.start()]
        shown = found[0].removesuffix(" UTC")
        yield format_html(
            '<time datetime="{0}" title="{0}">{1}</time> <span data-zone>UTC</span>',
            f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            shown,
        )
        end = found.end()
    yield text[end:]


def _moment(year: str | None, day: str | None, clock: str, now: dt.datetime) -> dt.datetime | None:
    """What was said; None for what no calendar has."""
    if year:
        days = [f"{year}-{day}"]
    elif day:
        days = [f"{now.year + n}-{day}" for n in (-1, 0, 1)]
    else:
        days = [f"{now + n * _DAY:%Y-%m-%d}" for n in (-1, 0, 1)]
    found = [made for one in days if (made := _read(f"{one}T{clock}+00:00"))]
    return min(found, key=lambda moment: abs(moment - now)) if found else None


def _read(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:  # 02-29 of most years
        return None
