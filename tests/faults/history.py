"""What clients asked and what became of it, as they saw it."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    OK = "ok"  # acknowledged: it must be in the books
    FAIL = "fail"  # refused: it must not be
    UNKNOWN = "unknown"  # no answer, or one that does not say: it may be


@dataclass(frozen=True, kw_only=True)
class Op:
    """One try of one request. Times in s of the monotonic clock; status 0: no answer came."""

    op: str
    key: str
    start: float
    end: float
    status: int
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    answer: dict[str, Any] = field(default_factory=dict)
    retry_after: str = ""

    @property
    def outcome(self) -> Outcome:
        if 200 <= self.status < 300:
            return Outcome.OK
        if self.status in (0, 429) or self.status >= 500 or self.answer.get("code") == "in_flight":
            return Outcome.UNKNOWN
        return Outcome.FAIL

    @property
    def job(self) -> dict[str, Any] | None:
        """The job that a claim was given."""
        return self.answer.get("job") if self.outcome is Outcome.OK else None


class History:
    """All tries of a run; may be written by many threads."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def note(self, op: Op) -> None:
        self.ops.append(op)

    def of(self, *names: str, outcome: Outcome | None = None) -> list[Op]:
        found = (one for one in list(self.ops) if one.op in names)
        return [one for one in found if outcome is None or one.outcome is outcome]

    def claims(self) -> list[Op]:
        """Acknowledged claims that came to a job."""
        return [one for one in self.of("claim") if one.job]

    def retries(self) -> int:
        """Tries whose end the client did not learn."""
        return sum(one.outcome is Outcome.UNKNOWN for one in self.ops)

    def summary(self) -> str:
        """For the log: how many, how fast, how often in doubt. Nothing asserts it."""
        return "; ".join(self._lines()) or "nothing was asked"

    def _lines(self) -> Iterator[str]:
        for name, n in Counter(one.op for one in self.ops).items():
            good = self.of(name, outcome=Outcome.OK)
            lasted = sorted(1000 * (one.end - one.start) for one in good) or [0.0]
            span = max(time_of(self.ops), 1e-3)
            p99 = lasted[int(0.99 * (len(lasted) - 1))]
            yield (
                f"{name}: {len(good)} of {n} acknowledged, {len(good) / span:.0f}/s,"
                f" p50 {statistics.median(lasted):.0f} ms, p99 {p99:.0f} ms"
            )


def time_of(ops: list[Op]) -> float:
    """From the first question to the last answer (s)."""
    return max(one.end for one in ops) - min(one.start for one in ops) if ops else 0.0


def now() -> float:
    return time.monotonic()
