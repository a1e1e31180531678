"""What a factory should bring to a site: how many more pilots, and what limits them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

TAKES_JOBS = ("online", "brokeroff", "test")


@dataclass(frozen=True, kw_only=True)
class Demand:
    """More pilots that would find a job at once, and the limit that they end at, in a word."""

    wanted: int
    limit: str


def demand(*, activated: int, held: int, slots: int, cap: int, status: str) -> Demand:
    """For a site with so many jobs activated and held by pilots; a cap of 0 is none.

    >>> demand(activated=50, held=90, slots=100, cap=0, status="online")
    Demand(wanted=10, limit='slots')
    """
    if status not in TAKES_JOBS:
        return Demand(wanted=0, limit=f"site is {status}")
    rooms = {"jobs": activated, "slots": max(0, slots - held)}
    if cap:
        rooms["cap"] = max(0, cap - held)
    limit = min(rooms, key=lambda word: rooms[word])
    return Demand(wanted=rooms[limit], limit=limit)
