"""How hours and bars look in the pages of one thing, as in the sheets."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from monitor import columns

register = template.Library()


@register.filter
def hours(seconds: float | None) -> str:
    """Seconds as hours; empty for None."""
    return "" if seconds is None else columns.hours_words(seconds)


@register.filter
def bar(parts: Iterable[tuple[str, int]]) -> str:
    """Parts of a whole as an image."""
    return columns.bar(parts)
