"""Which source a file is fetched from, and which activity is next. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

UNKNOWN_RATE = 10e6  # bytes/s: what a link is believed to do until it has been measured
WEIGHT = 0.25  # of the newest measurement in a mean
HALF_LIFE = dt.timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A replica that may serve: the link's part of copies that arrive (0 to 1) and its bytes/s.

    None where that was never measured. `room`: how many more copies the link and its source take.
    """

    storage_id: int
    tape: bool = False
    success: float | None = None
    rate: float | None = None
    room: int = 1

    @property
    def worth(self) -> float:
        """Bytes/s that may be hoped for; who fails half of the time is worth a quarter."""
        success = 1.0 if self.success is None else max(self.success, 0.01)
        return success**2 * (UNKNOWN_RATE if self.rate is None else self.rate)


def ranked(offers: Iterable[Offer]) -> list[Offer]:
    """Those with room, the best first: disk before tape, then by what their link has done."""
    with_room = [offer for offer in offers if offer.room > 0]
    return sorted(with_room, key=lambda offer: (offer.tape, -offer.worth, offer.storage_id))


def mean(old: float | None, new: float) -> float:
    """A mean that forgets: the newest counts a quarter."""
    return new if old is None else old + WEIGHT * (new - old)


def used_now(used: float, since: dt.datetime | None, now: dt.datetime) -> float:
    """What is left of the account of an activity: it halves every five minutes."""
    if since is None:
        return 0.0
    halves = max(0.0, (now - since) / HALF_LIFE)
    return float(used * 0.5 ** min(halves, 1000))


def first_of(waiting: Iterable[Lane]) -> list[Lane]:
    """Lanes in the order of their turns: the activity that got least for its share comes first.

    Within an activity the highest priority, then who has waited longest.
    """
    return sorted(
        waiting, key=lambda lane: (lane.used / lane.share, -lane.priority, lane.since, lane.key)
    )


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Transfers of one activity to one destination; the most urgent one stands for all."""

    destination_id: int
    activity: str
    priority: int
    since: dt.datetime
    used: float = 0.0
    share: int = 1

    @property
    def key(self) -> tuple[int, str]:
        return self.destination_id, self.activity
