"""How the cycle with the production database is, as a lamp of the strip."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from jobs.bamboo.cycle import OFF
from jobs.bamboo.timetable import Plan, planned
from jobs.models import BambooRound
from jobs.proddb import door
from monitor.servers import Lamp
from monitor.words import ago

NAME = "Bamboo"
WHY = "until it goes on, no work comes from production, and no state goes there: nothing is lost"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What there is to be known: whether it is on at all, the latest round, and the plan."""

    on: bool
    latest: BambooRound | None
    plan: Plan

    @property
    def words(self) -> str:
        """How it is, in a sentence."""
        if not self.on:
            return OFF
        if self.latest is None:
            return f"no cycle has run yet; {self.plan.words}"
        if self.latest.error:
            return self.latest.error
        return f"the last cycle went well, {self.plan.words}"


def look(*, now: dt.datetime) -> Seen:
    """Read it: the latest round that has ended, or that goes on."""
    latest = BambooRound.objects.order_by("-started_at").first()
    last = latest.started_at if latest else None
    return Seen(on=door.available(), latest=latest, plan=planned(now=now, last=last))


def lamps(seen: Seen, *, now: dt.datetime) -> list[Lamp]:
    """One lamp; none where there is no production database."""
    if not seen.on:
        return []
    latest = seen.latest
    if latest is None:
        return [Lamp(name=NAME, state="ok", at=now, details=seen.words)]
    at = latest.ended_at or latest.started_at
    if latest.state == BambooRound.State.TROUBLE:
        step = "see the error, and that the production database runs (PRODDB_URL); it tries again"
        return [Lamp(name=NAME, state="failed", at=at, details=latest.error, why=WHY, step=step)]
    if seen.plan.is_late(latest.started_at, now=now):
        age = ago((now - latest.started_at).total_seconds())
        told = f"the last cycle began {age} ago, {seen.plan.words}"
        step = "see that the Celery worker and its beat run"
        return [Lamp(name=NAME, state="late", at=at, details=told, why=WHY, step=step)]
    return [Lamp(name=NAME, state="ok", at=at, details=seen.words)]
