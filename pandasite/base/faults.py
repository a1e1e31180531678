"""DRF's nested errors of a body as a flat list: which field, what is wrong, and the limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.settings import api_settings

from pandasite.base import errors
from pandasite.base.json import path_text

Steps = tuple[str | int, ...]


def faults_of(detail: Any, steps: Steps = ()) -> Iterator[tuple[dict[str, Any], Steps]]:
    """Every message in DRF's nested errors, with the steps that lead to its field."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            here = steps if key == api_settings.NON_FIELD_ERRORS_KEY else (*steps, key)
            yield from faults_of(inner, here)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from faults_of(inner, (*steps, index) if nested else steps)
    else:
        yield _fault(detail, steps), steps


def _fault(detail: Any, steps: Steps) -> dict[str, Any]:
    name, text, code = path_text(steps), str(detail), getattr(detail, "code", None) or "invalid"
    # Our own messages are predicates ("must be ..."), other people's are sentences.
    subject = name or "the body"
    message = f"{subject} {text}" if text[:1].islower() else f"{subject}: {text}"
    return errors.field_error(name, message, code=str(code), **getattr(code, "limit", {}))
