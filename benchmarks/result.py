"""What a benchmark has to say: one figure, one JSON object, one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A limit that a figure must keep; of its value, or of its ratio to the baseline."""

    limit: float
    at_most: bool = False
    unit: str = ""
    of_ratio: bool = False

    def admits(self, found: float | None) -> bool:
        """Whether a number keeps the limit; none does not."""
        if found is None:
            return False
        return found <= self.limit if self.at_most else found >= self.limit

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        what = " of the baseline" if self.of_ratio else ""
        return f"{sign} {self.limit:g}{' ' if self.unit else ''}{self.unit}{what}"


def ratio_of(limit: float) -> Bound:
    """At least this part of the baseline."""
    return Bound(limit=limit, of_ratio=True)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table. `value` None: it could not be measured, and `why` says for what reason.

    baseline: what the value is compared with, in the same unit. conditions: what else has to be
    true, each by its name. details: everything else worth keeping.
    """

    figure: str
    unit: str
    must: Bound
    value: float | None = None
    baseline: float | None = None
    stretch: Bound | None = None
    conditions: Mapping[str, bool] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def ratio(self) -> float | None:
        """Value / baseline, None without one of them."""
        if self.value is None or not self.baseline:
            return None
        return self.value / self.baseline

    @property
    def holds(self) -> bool:
        """Whether the must and all conditions are met."""
        return self._keeps(self.must) and all(self.conditions.values())

    def _keeps(self, bound: Bound) -> bool:
        return bound.admits(self.ratio if bound.of_ratio else self.value)

    def as_json(self) -> dict[str, Any]:
        """The object that is printed and kept; numbers with four significant digits."""
        said: dict[str, Any] = {
            "figure": self.figure,
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "must": str(self.must),
            "holds": self.holds,
        }
        if self.stretch is not None:
            said |= {"stretch": str(self.stretch), "reaches": self._keeps(self.stretch)}
        for name in ("conditions", "why", "details"):
            if kept := getattr(self, name):
                said[name] = kept
        return dict(rounded(said))

    def line(self) -> str:
        """The JSON object as one line."""
        return json.dumps(self.as_json())


def keep(figure: Figure, folder: Path, *, more: Mapping[str, Any]) -> Path:
    """Write the figure, with what is true of the whole run, to `<folder>/<figure>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{figure.figure}.json"
    text = json.dumps(figure.as_json() | dict(more), indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def rounded(found: Any) -> Any:
    """The same with its numbers cut to four significant digits, whole numbers left as they are."""
    if isinstance(found, Mapping):
        return {name: rounded(each) for name, each in found.items()}
    if isinstance(found, list | tuple):
        return [rounded(each) for each in found]
    if isinstance(found, float):
        return float(f"{found:.4g}")
    return found
