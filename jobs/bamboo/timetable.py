"""When the cycle runs: a row of django-celery-beat, which the admin may change.

Celery writes the timetable of the settings over whatever the admin has made of it, each time that
it starts. So this one row is ours: made when it is missing, and changed only by who has not touched
it since: while it says what we wrote last, it follows PANDASITE_BAMBOO_SECONDS.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.bamboo.cycle import NAME

_WORDS = "Every {} s, as PANDASITE_BAMBOO_SECONDS says, until somebody changes it here."
_WRITTEN = re.compile(re.escape(_WORDS).replace(r"\{\}", r"(\d+)"))


def plan() -> PeriodicTask:
    """The row, made or brought up to date; a change by hand stays."""
    seconds = settings.PANDASITE["BAMBOO_SECONDS"]
    with transaction.atomic():
        row = PeriodicTask.objects.select_for_update(of=("self",)).filter(name=NAME).first()
        if row is None:
            row, _made = PeriodicTask.objects.get_or_create(
                name=NAME, defaults={"task": NAME, **_planned(seconds)}
            )
        elif _is_ours(row) and _every(row) != seconds:
            for column, value in _planned(seconds).items():
                setattr(row, column, value)
            row.save()
    return row


def _planned(seconds: int) -> dict[str, object]:
    schedule, _made = IntervalSchedule.objects.get_or_create(
        every=seconds, period=IntervalSchedule.SECONDS
    )
    # A message that has waited for a whole round is dropped for the next one.
    return {
        "interval": schedule,
        "expire_seconds": seconds,
        "description": _WORDS.format(seconds),
    }


def _is_ours(row: PeriodicTask) -> bool:
    """Whether nobody has changed what we wrote."""
    written = _WRITTEN.fullmatch(row.description)
    return written is not None and row.enabled and _every(row) == int(written[1])


def _every(row: PeriodicTask) -> int | None:
    """Seconds between two rounds of an interval that has them."""
    interval = row.interval
    if interval is None or interval.period != IntervalSchedule.SECONDS:
        return None
    return int(interval.every)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the timetable says: in words, how long a round is (s), and the next one."""

    words: str
    seconds: float | None
    next_at: dt.datetime | None

    def is_late(self, last: dt.datetime | None, *, now: dt.datetime) -> bool:
        """Whether three rounds have passed since the last one began."""
        if last is None or self.seconds is None:
            return False
        return (now - last).total_seconds() > 3 * self.seconds


def planned(*, now: dt.datetime, last: dt.datetime | None) -> Plan:
    """When the next cycle is due after the last one; a plan without an interval says no more."""
    row = PeriodicTask.objects.filter(name=NAME).select_related("interval", "crontab").first()
    if row is None:
        return Plan(words="not on the timetable yet", seconds=None, next_at=None)
    if not row.enabled:
        return Plan(words="switched off in the timetable", seconds=None, next_at=None)
    if row.interval is None:
        return Plan(words=str(row.crontab or row.scheduler), seconds=None, next_at=None)
    schedule = row.interval.schedule.run_every
    due = max(now, last + schedule) if last else None
    words = f"every {schedule.total_seconds():g} s"
    return Plan(words=words, seconds=schedule.total_seconds(), next_at=due)
