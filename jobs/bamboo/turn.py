"""One round as its steps see it: its time, its limits, what came of it so far."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from jobs.models import BambooRefusal, BambooRound


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one round may do at most; `seconds` None: as long as it takes."""

    tasks: int = 2_000  # taken, and looked at for a cloud
    jobs: int = 20_000  # submitted
    changes: int = 200_000  # written back
    kills: int = 20_000
    seconds: float | None = None


@dataclass(kw_only=True)
class Turn:
    """`more`: something is left, for which the next round need not wait; `away`: prodDB is."""

    round: BambooRound
    now: dt.datetime
    limits: Limits
    chance: Random
    begun: float = field(default_factory=time.monotonic)
    more: bool = False
    away: bool = False
    done: Counter[str] = field(default_factory=Counter)

    @property
    def over(self) -> bool:
        """Whether the time of the round is used up; what is left is then left."""
        seconds = self.limits.seconds
        if seconds is None or time.monotonic() - self.begun < seconds:
            return False
        self.more = True
        return True

    def refused(self, kind: str, reasons: Mapping[int, str], names: Mapping[int, str]) -> None:
        """Note rows that prodDB was answered about, for the status page."""
        self.done["refused"] += len(reasons)
        BambooRefusal.objects.bulk_create(
            BambooRefusal(
                round=self.round,
                at=self.now,
                kind=kind,
                subject_id=number,
                name=names.get(number, "")[:255],
                reason=reason,
            )
            for number, reason in reasons.items()
        )
