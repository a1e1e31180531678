"""Lists that come page by page, and `name=value` pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pandasite.cli.door import Door
from pandasite.cli.errors import Wrong

PAGE = 1000  # the most that the server gives at once


def listed(
    door: Door,
    path: str,
    key: str,
    *,
    limit: int,
    cursor: str = "before",
    wanted: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The first `limit` of a list, of as many pages as it takes."""
    found: list[dict[str, Any]] = []
    behind: int | None = None
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        page = door.get(path, limit=size, **{cursor: behind}, **(wanted or {}))
        found += page[key]
        behind = page[cursor]
        if behind is None:
            break
    return found


def changes_of(pairs: Iterable[str]) -> dict[str, Any]:
    """`memory_mb=4000` as a field and its value: a number where it reads as one."""
    changes: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Wrong(f"--change takes FIELD=VALUE, such as memory_mb=4000, not '{pair}'")
        changes[name.strip()] = _value(text)
    return changes


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, int | float) else text
