"""A job's states over time, from its events: the bar, the durations and the attempts. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.models import AnyJobEvent
from jobs.states import LEASED
from monitor.words import span

WIDTH = 1000  # of the bar, in its own units
NARROWEST = 6  # so that a short state can be seen


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One stay in a state: seconds, and its place on the bar in units of WIDTH."""

    state: str
    since: dt.datetime
    seconds: float
    x: int = 0
    width: int = 0

    @property
    def words(self) -> str:
        return span(self.seconds)


def bars(events: Sequence[AnyJobEvent], *, now: dt.datetime, final: bool) -> list[Bar]:
    """The stays from the first event to the end, or to now while the job lives."""
    stays = [
        Bar(state=event.to_state, since=event.at, seconds=_seconds(event.at, until))
        for event, until in zip(events, [*(event.at for event in events[1:]), now], strict=True)
    ]
    if final and stays:
        stays.pop()  # the end lasts for ever
    return _placed(stays)


def _seconds(since: dt.datetime, until: dt.datetime) -> float:
    return max((until - since).total_seconds(), 0.0)


def _placed(stays: Sequence[Bar]) -> list[Bar]:
    whole = sum(stay.seconds for stay in stays)
    free = max(WIDTH - NARROWEST * len(stays), 0)
    placed, x = [], 0
    for stay in stays:
        share = round(free * stay.seconds / whole) if whole else free // len(stays)
        width = NARROWEST + share
        placed.append(
            Bar(state=stay.state, since=stay.since, seconds=stay.seconds, x=x, width=width)
        )
        x += width
    return placed


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of one pilot: where, from when to when, and how it ended."""

    nr: int
    node: str
    pilot: str
    since: dt.datetime
    until: dt.datetime | None
    outcome: str

    def as_json(self) -> dict[str, Any]:
        """The facts; `until` None = not over."""
        return {
            "attempt_nr": self.nr,
            "node": self.node,
            "pilot": self.pilot,
            "since": self.since,
            "until": self.until,
            "outcome": self.outcome,
        }


def attempts(events: Iterable[AnyJobEvent]) -> list[Attempt]:
    """The tries of this PandaID; one begins with `sent` and ends when the pilot lets go."""
    found: list[Attempt] = []
    for event in events:
        if event.to_state == "sent":
            found.append(_begun(event))
        elif found and event.to_state not in LEASED and found[-1].until is None:
            found[-1] = _over(found[-1], event)
    return found


def _begun(event: AnyJobEvent) -> Attempt:
    return Attempt(
        nr=event.attempt_nr,
        node=str(event.reason.get("node", "")),
        pilot=str(event.reason.get("pilot", "")),
        since=event.at,
        until=None,
        outcome="with the pilot",
    )


def _over(attempt: Attempt, event: AnyJobEvent) -> Attempt:
    said = event.reason.get("said") or event.reason.get("diag") or event.reason.get("reason") or ""
    return Attempt(
        nr=attempt.nr,
        node=attempt.node,
        pilot=attempt.pilot,
        since=attempt.since,
        until=event.at,
        outcome=f"{event.to_state}: {said}" if said else event.to_state,
    )
