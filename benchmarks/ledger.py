"""What a fleet was told, so that it can be compared with what the database holds at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import Answer
from benchmarks.stats import Tally

EXAMPLES = 5  # wrong answers that are kept in full
CUT = 300  # characters of each


@dataclass
class Ledger:
    """PandaIDs by what their users and pilots were told; answers that nobody expected."""

    submitted: set[int] = field(default_factory=set)
    handed: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def heard(self, what: str, answer: Answer, *, expected: int = 200) -> bool:
        """Book an answer; whether it is the expected one."""
        self.tallies[what].add(answer.status, answer.seconds)
        if answer.status != expected:
            self.complain(f"{what}: {answer.status}", answer.body)
        return answer.status == expected

    def complain(self, what: str, body: bytes = b"") -> None:
        """Book something that must not be."""
        self.wrong[what] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what} {body[:CUT].decode(errors='replace')}".strip())

    def hand(self, panda_id: int, attempt: int) -> None:
        """A pilot was given a job, which must be its first attempt, and one that we submitted."""
        if panda_id in self.handed or attempt != 1:
            self.complain("handed twice")
        if panda_id not in self.submitted:
            self.complain("a job that nobody submitted")
        self.handed.add(panda_id)

    @property
    def open(self) -> int:
        """Jobs that were submitted, and whose pilots have not had their final word."""
        return len(self.submitted) - len(self.ended)

    def as_json(self) -> dict[str, Any]:
        """Counts, and percentiles by kind of request."""
        return {
            "submitted": len(self.submitted),
            "handed": len(self.handed),
            "ended": len(self.ended),
            "wrong": dict(self.wrong),
            "examples": self.examples,
            "requests": {what: tally.as_json() for what, tally in sorted(self.tallies.items())},
        }
