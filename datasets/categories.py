"""Which category a dataset belongs to, and whose scope it is in: by its name. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from datasets.names import PERSONAL, parse

OTHER = "other"  # where no category takes what fits none


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a name says of a dataset."""

    category: str
    data_type: str
    scope: str


class Categories:
    """The rules in the order of the table, as (name, patterns of one line each)."""

    def __init__(self, rules: Iterable[tuple[str, str]]) -> None:
        self._rules: list[tuple[str, re.Pattern[str]]] = []
        self._rest = OTHER
        for name, patterns in rules:
            lines = [line.strip() for line in patterns.splitlines() if line.strip()]
            if lines:
                self._rules.append((name, _any_of(lines)))
            else:
                self._rest = name

    def of(self, name: str) -> str:
        """The first category with a pattern that the whole name fits."""
        return next((known for known, fits in self._rules if fits.match(name)), self._rest)

    def kind(self, name: str) -> Kind:
        """Category, data type and scope."""
        return Kind(category=self.of(name), data_type=parse(name).data_type, scope=scope_of(name))


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))


def scope_of(name: str) -> str:
    """The project; of a person's or a group's dataset with who that is, such as `user.alice`."""
    project, dot, rest = name.partition(".")
    if project.lower() in PERSONAL and dot:
        return f"{project.lower()}.{rest.partition('.')[0]}"[:64]
    return project[:64]
