"""Columns of sheets that look as elsewhere: times, spans, states, links. The facts stay raw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.utils.html import format_html

from monitor import words
from monitor.templatetags.monitor import size, utc


def of(record: Any, name: str) -> str:
    """A field of a row, which is a mapping or has attributes."""
    return str(record[name] if isinstance(record, Mapping) else getattr(record, name))


class TimeColumn(tables.Column):
    """`MM-DD HH:MM`, UTC or local as the reader has chosen."""

    def render(self, value: dt.datetime) -> str:
        return utc(value)


class SpanColumn(tables.Column):
    """Seconds as `1 h 5 min`; below ten with a fraction."""

    def render(self, value: float) -> str:
        return f"{value:.2f} s" if value < 10 else words.span(value)


class SizeColumn(tables.Column):
    """Bytes in the unit that suits."""

    def render(self, value: int) -> str:
        return size(value)


class NumberColumn(tables.Column):
    """A number with commas between thousands, and a link to what is behind it.

    `link` names the attribute of the row that has the address; a zero leads nowhere.
    """

    def __init__(self, *args: Any, link: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.address = link

    def render(self, value: float, record: Any) -> str:
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        url = of(record, self.address) if self.address and value else ""
        return format_html('<a href="{}">{}</a>', url, text) if url else text


class LinkColumn(tables.Column):
    """A text that leads to the address in the attribute `link` of its row."""

    def __init__(self, *args: Any, link: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.address = link

    def render(self, value: Any, record: Any) -> str:
        url = of(record, self.address)
        return format_html('<a href="{}">{}</a>', url, value) if url else str(value)


class LampColumn(tables.Column):
    """ok, late or failed as colour, shape and text."""

    def render(self, value: str) -> str:
        return format_html('<span class="lamp {0}">{0}</span>', value)


class FlagColumn(tables.Column):
    """yes or no."""

    def render(self, value: bool) -> str:
        return "yes" if value else "no"


class StatusColumn(tables.Column):
    """The status of a site or cloud."""

    def render(self, value: str) -> str:
        return format_html('<span class="site-{0}">{0}</span>', value)
