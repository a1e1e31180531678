"""The cycle: five steps, each of which may fail without the others, and the record of it."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction

from jobs.bamboo import assign, kill, submit, take, write
from jobs.bamboo.lock import only_one
from jobs.bamboo.turn import Limits, Turn
from jobs.models import BambooRound
from jobs.proddb import door
from jobs.proddb.door import Away
from pandasite.base.clock import database_now
from pandasite.base.nudge import nudge
from pandasite.base.rounds import Incomplete

log = logging.getLogger(__name__)
NAME = "jobs.bamboo"
OFF = "Bamboo is off: no production database is named (PRODDB_URL)"
BUSY = "another cycle is at work: this one has done nothing"
OURS = "the database of the site"
SKIPPED = "left out: prodDB did not answer the step before"
# In a worker the sweeps wait behind it: what is left after so long is done in a round of its own.
ROUND_SECONDS = 20.0
KEPT = dt.timedelta(days=30)  # rounds
KEPT_IDLE = dt.timedelta(hours=13)  # rounds that found nothing to do: a little over the page's 12

# Name, work, whether it needs prodDB.
STEPS: tuple[tuple[str, Callable[[Turn], int], bool], ...] = (
    ("take", take.run, True),
    ("assign", assign.run, False),
    ("submit", submit.run, True),
    ("write", write.run, True),
    ("kill", kill.run, True),
)
COUNTS = ("taken", "assigned", "submitted", "written", "killed", "refused")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a call came to: a sentence when there was no cycle, else its record."""

    round: BambooRound | None = None
    why: str = ""
    more: bool = False


def run(now: dt.datetime) -> int:
    """The sweep: one cycle of limited length; what is left is done at once, in a round after it.

    Raises Incomplete with what went wrong; the cycle went through none the less.
    """
    report = cycle(limits=Limits(seconds=ROUND_SECONDS))
    done = report.round
    if done is None:
        return 0
    rows = sum(getattr(done, name) for name in COUNTS)
    if done.state == BambooRound.State.TROUBLE:
        raise Incomplete([done.error], rows=rows)
    if report.more:
        nudge(NAME)
    return rows


def cycle(
    *, limits: Limits | None = None, seed: int | None = None, now: dt.datetime | None = None
) -> Report:
    """One cycle, unless another one is at work. `seed` makes its draws the same each time.

    `now` is the database's clock unless it is given.
    """
    if not door.available():
        return Report(why=OFF)
    with only_one() as mine:
        if not mine:
            log.info("bamboo_busy", extra={"why": BUSY})
            return Report(why=BUSY)
        return _cycle(limits or Limits(), seed, now or database_now())


def _cycle(limits: Limits, seed: int | None, now: dt.datetime) -> Report:
    _close_broken(now)
    row = BambooRound.objects.create(started_at=now, host=settings.PANDASITE_HOST)
    turn = Turn(round=row, now=now, limits=limits, chance=random.Random(seed))
    steps: list[dict[str, Any]] = []
    for name, work, needs_proddb in STEPS:
        BambooRound.objects.filter(pk=row.pk).update(step=name)
        steps.append(_step(turn, name, work, skip=turn.away and needs_proddb))
    _end(turn, steps)
    return Report(round=row, more=turn.more and not row.error)


def _step(turn: Turn, name: str, work: Callable[[Turn], int], *, skip: bool) -> dict[str, Any]:
    """Do one step; what it came to. What our own database refuses is the trouble of one step."""
    begun, rows, trouble = time.monotonic(), 0, SKIPPED if skip else ""
    if not skip:
        try:
            rows = work(turn)
        except Away as error:
            turn.away, trouble = True, str(error)
            log.warning("proddb_away", extra={"step": name, "error": trouble})
        except DatabaseError as error:
            trouble = f"{OURS}: {(str(error).splitlines() or [type(error).__name__])[0]}"[:500]
            log.warning("bamboo_step_failed", extra={"step": name, "error": trouble})
    seconds = round(time.monotonic() - begun, 3)
    return {"name": name, "rows": rows, "seconds": seconds, "trouble": trouble}


def _end(turn: Turn, steps: list[dict[str, Any]]) -> None:
    row = turn.round
    for name in COUNTS:
        setattr(row, name, turn.done[name])
    error = next((step["trouble"] for step in steps if step["trouble"]), "")
    if not error:
        try:
            with door.open_session():
                row.backlog_tasks, row.backlog_jobs = door.backlog()
        except Away as away:
            error = str(away)
    states = BambooRound.State
    row.state = states.TROUBLE if error else states.MORE if turn.more else states.DONE
    took = dt.timedelta(seconds=time.monotonic() - turn.begun)
    row.steps, row.error, row.ended_at = steps, error, turn.now + took
    row.step = next((step["name"] for step in steps if step["trouble"]), "")
    row.save()
    _log(row)
    _forget(turn.now)


def _log(row: BambooRound) -> None:
    counts: Mapping[str, int] = {name: getattr(row, name) for name in COUNTS}
    if any(counts.values()) or row.error:
        log.info("bamboo_cycle", extra={**counts, "seconds": row.seconds, "error": row.error})


def _close_broken(now: dt.datetime) -> None:
    """Rounds that were killed: we have the lock, so nobody is at work."""
    running = BambooRound.objects.filter(state=BambooRound.State.RUNNING)
    for row in running:
        row.state, row.ended_at = BambooRound.State.TROUBLE, now
        row.error = f"it was cut short in step {row.step or 'none'}; the next cycle goes on"
        row.save(update_fields=["state", "ended_at", "error"])


def _forget(now: dt.datetime) -> None:
    """Old rounds, and those of half a day ago that found nothing to do."""
    old = BambooRound.objects.filter(started_at__lt=now - KEPT)
    idle = dict.fromkeys(COUNTS, 0)
    done = BambooRound.objects.filter(
        started_at__lt=now - KEPT_IDLE, state=BambooRound.State.DONE, **idle
    )
    for rows in (old, done):
        keys = list(rows.order_by("started_at").values_list("pk", flat=True)[:1000])
        if keys:
            with transaction.atomic():
                BambooRound.objects.filter(pk__in=keys).delete()
