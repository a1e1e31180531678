"""Faults that requests for tasks and new tags have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobs.api.names import Names
from jobs.tasks_engine import template
from pandasite.base.errors import field_error


def unknown_name(field: str, name: str, names: Names, *, column: str) -> dict[str, Any]:
    """A name of that kind that stands for nothing, with those that are close to it."""
    close = names.nearest.to(column, name)
    hint = f"; nearest: {', '.join(close)}" if close else ""
    words = f"{field} {name} is not known{hint}"
    return field_error(field, words, code="unknown_name", close=close)


def placeholders(
    field: str,
    text: str,
    counts: Mapping[str, int],
    *,
    names: Mapping[str, str] = template.IN_PARAMETERS,
) -> Iterator[dict[str, Any]]:
    """Placeholders of job parameters that stand for nothing; `counts` is that of `unknown`."""
    if wrong := template.unknown(text, known=names, counts=counts):
        known = [*names, *(f"{name}<n>" for name, n in counts.items() if n)]
        words = f"{field} has unknown placeholders {', '.join(wrong[:5])}"
        yield field_error(field, words, code="unknown_placeholder", known=known)
