"""Kinds of columns of sheets: how times, sizes, spans, shares and states look in them.

The JSON and the CSV of a sheet have the value itself: seconds, bytes, ISO times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import django_tables2 as tables
from django.utils.html import format_html, format_html_join

from monitor.sheets import column
from monitor.templatetags import monitor as looks

Url = Callable[[Any], str]


class NumberColumn(tables.Column):
    """A whole number with commas; a zero is dim, since it leads nowhere."""

    def render(self, value: int) -> str:
        return f"{value:,}" if value else format_html('<span class="hint">{}</span>', "0")


class TimeColumn(tables.Column):
    """A moment, `MM-DD HH:MM` UTC."""

    zoned = True  # its title names the zone

    def render(self, value: dt.datetime) -> str:
        return looks.utc(value)


class SecondColumn(tables.Column):
    """A moment, `YYYY-MM-DD HH:MM:SS` UTC."""

    zoned = True

    def render(self, value: dt.datetime) -> str:
        return looks.utc_seconds(value)


class DayColumn(tables.Column):
    """A day, `YYYY-MM-DD`."""

    def render(self, value: dt.date) -> str:
        return value.isoformat()


class SpanColumn(tables.Column):
    """Seconds as a duration in words."""

    def render(self, value: float) -> str:
        return looks.span(value)


class SizeColumn(tables.Column):
    """Bytes in the unit that suits."""

    def render(self, value: int) -> str:
        return looks.size(value)


class HoursColumn(tables.Column):
    """Seconds as hours, to the tenth while they are few."""

    def render(self, value: float) -> str:
        return hours_words(value)


class PercentColumn(tables.Column):
    """A share in percent; None where there is nothing to share."""

    def render(self, value: float) -> str:
        return f"{value:.0f} %"


class WordColumn(tables.Column):
    """A word of a small set, with the colour and shape that its class has."""

    def __init__(self, *args: Any, start: str = "st st-", **more: Any) -> None:
        super().__init__(*args, **more)
        self.start = start

    def render(self, value: str) -> str:
        return format_html('<span class="{}{}">{}</span>', self.start, value, value)


class BarColumn(tables.Column):
    """Parts of a whole as a bar, with the first of them in percent; `parts` gives (look, part)."""

    def __init__(
        self, *args: Any, parts: Callable[[Any], Iterable[tuple[str, int]]], **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.parts = parts

    def render(self, value: float, record: Any) -> str:
        return format_html("{} {}", bar(self.parts(record)), f"{value:.0f} %")


def hours_words(seconds: float) -> str:
    """Seconds as hours: `1.5`, `12,345`."""
    hours = seconds / 3600
    return f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def bar(parts: Iterable[tuple[str, int]]) -> str:
    """An image of parts of a whole, one behind the other; `look` is a state's name or `room`."""
    found = [part for part in parts if part[1] > 0]
    whole, at, rects = sum(n for _look, n in found), 0, []
    for look, n in found:
        width = round(1000 * n / whole)
        rects.append((look, at, width))
        at += width
    return format_html(
        '<svg class="used" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">'
        "{}</svg>",
        format_html_join("", '<rect class="fill-{}" x="{}" width="{}" height="100"/>', rects),
    )


def number(title: str, help: str, *, url: Url | None = None, **more: Any) -> tables.Column:
    """A column of numbers; `url(record)` leads to the list behind each, where it is not 0."""
    return column(title, help, kind=NumberColumn, look="n", **_linked(url), **more)


def time(title: str, help: str, **more: Any) -> tables.Column:
    """A column of moments."""
    return column(title, help, kind=TimeColumn, **more)


def hours(title: str, help: str, **more: Any) -> tables.Column:
    """A column of seconds that are shown as hours."""
    return column(title, help, kind=HoursColumn, look="n", **more)


def percent(title: str, help: str, **more: Any) -> tables.Column:
    """A column of percentages."""
    return column(title, help, kind=PercentColumn, look="n", **more)


def link(title: str, help: str, *, url: Url, **more: Any) -> tables.Column:
    """A column of names that lead somewhere; an empty address leads nowhere."""
    return column(title, help, **_linked(url), **more)


def _linked(url: Url | None) -> dict[str, Any]:
    if url is None:
        return {}

    def address(record: Any, value: Any) -> str | None:
        return (url(record) or None) if value else None

    return {"linkify": address}
