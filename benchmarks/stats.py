"""Percentiles and counts of what a load tool has seen."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0..1) of all are not above; NaN of none.

    The nearest rank, so that it always is one of the values. `ordered` must be sorted.
    """
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Tally:
    """Answers by HTTP status, and how long each took (s)."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def add(self, status: int, seconds: float) -> None:
        """One answer."""
        self.statuses[status] += 1
        self.seconds.append(seconds)

    @property
    def errors(self) -> int:
        """Answers that are no success."""
        return sum(n for status, n in self.statuses.items() if not 200 <= status < 300)

    def __len__(self) -> int:
        return len(self.seconds)

    def as_json(self) -> dict[str, Any]:
        """Percentiles in ms and the counts."""
        ordered = sorted(self.seconds)
        ms = {f"p{p}_ms": 1000 * percentile(ordered, p / 100) for p in (50, 95, 99)}
        counts = {str(status): n for status, n in sorted(self.statuses.items())}
        return {"answers": len(ordered), **(ms if ordered else {}), "statuses": counts}
