"""How states, times, sizes and spans look. Everything is escaped here or by the template."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join

from monitor import jobpage, words
from monitor.moments import in_zones
from monitor.rows import Cell
from pandasite.base.rights import SOMEWHERE

register = template.Library()
UNITS = ("kB", "MB", "GB", "TB", "PB")


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], permission: str, thing: Any = SOMEWHERE) -> bool:
    """Whether the visitor may do it to this thing, or without one to any: is there a button?"""
    return bool(context["request"].user.has_perm(permission, thing))


@register.simple_tag(name="cells")
def cells_html(cells: Iterable[Cell]) -> str:
    """The cells of a row of numbers; in Python, since a dashboard has thousands."""
    return format_html_join("", "<td{}>{}{}</td>", map(_parts, cells))


def _parts(cell: Cell) -> tuple[str, str, str]:
    after = format_html(" / {}", _linked(cell.after, cell.after_url)) if cell.after else ""
    text = utc(cell.time) if cell.time else _linked(cell.text, cell.url)
    return _class(cell.look), text, after


@cache
def _class(look: str) -> str:
    return format_html(' class="{}"', look) if look else ""


def _linked(text: str, url: str) -> str:
    return format_html('<a href="{}">{}</a>', url, text) if url else text


@register.simple_tag
def query(chosen: Any, **changes: Any) -> str:
    """The query string of what was chosen with these changes: see its `query`."""
    return str(chosen.query(**{name: str(value) for name, value in changes.items()}))


@register.filter
def badge(state: str) -> str:
    """A state as colour, shape (both by class) and text."""
    return format_html('<span class="st st-{0}">{0}</span>', state)


@register.filter
def utc(time: dt.datetime | None) -> str:
    """`MM-DD HH:MM` UTC, with the full time behind it; empty for None."""
    return _time(time, "%m-%d %H:%M")


@register.filter
def utc_seconds(time: dt.datetime | None) -> str:
    """`YYYY-MM-DD HH:MM:SS` UTC; empty for None."""
    return _time(time, "%Y-%m-%d %H:%M:%S")


@register.filter
def moments(text: str, now: dt.datetime) -> str:
    """A sentence whose times follow the zone of the reader, as those of columns do."""
    return in_zones(text, now=now)


@register.filter
def age(time: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago that was; the browser keeps it up to date."""
    if time is None:
        return ""
    words_ = words.ago((now - time).total_seconds())
    return format_html('<time datetime="{}" data-age>{}</time>', _iso(time), words_)


@register.filter
def size(n: int | None) -> str:
    """Bytes in the unit that suits: `512 B`, `8.9 MB` (10^6)."""
    if n is None:
        return ""
    if n < 1000:
        return f"{n} B"
    power = min((len(str(n)) - 1) // 3, len(UNITS))
    return f"{n / 1000**power:.1f} {UNITS[power - 1]}"


@register.filter
def span(seconds: float | None) -> str:
    """A duration in words; empty for None and 0."""
    return words.span(seconds) if seconds else ""


@register.filter
def fact(value: Any) -> Any:
    """A fact of a find: a time as times look, anything else as it is, nothing for None."""
    if isinstance(value, dt.datetime):
        return utc_seconds(value)
    return "" if value is None else value


@register.filter
def weight(value: float | None) -> str:
    """A weight of brokerage; empty where a site was refused."""
    return "" if value is None else f"{value:.4g}"


@register.filter
def reason(facts: dict[str, Any]) -> str:
    """The reason of an event as text."""
    return jobpage.reason_words(facts)


def _time(time: dt.datetime | None, form: str) -> str:
    if time is None:
        return ""
    shown = time.astimezone(dt.UTC).strftime(form)
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', _iso(time), shown)


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
