"""What every sweep shares: a row that says when it last ran, on which host, and how it went.

There is no lock: every sweep takes the rows it changes with SKIP LOCKED or a conditional
update, so it is safe to run twice and at the same time as itself.

Each host may have a beat of its own. Of their messages for one round the first is worked through
and the others end with one statement: a round on the timetable is left out when the sweep began,
on whatever host, a moment ago (ROUND_BEGUN). A nudge is never left out: it tells of news.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from celery import current_task
from django.conf import settings
from django.db.models import F

from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from pandasite.base.nudge import heard
from pandasite.base.rounds import Incomplete

# Of a round. Over a half: else two timetables that are just half a round apart would both count.
# Not much over it: a round that waited behind other sweeps must not cost the one after it.
ROUND_BEGUN = 2 / 3
AWAY = dt.timedelta(minutes=10)  # a sweep of every minute has not gone through for so long


def run_sweep(name: str, work: Callable[[dt.datetime], int]) -> int:
    """Run `work(now)`, book the run under `name`, and return the number of rows it changed.

    0 without having looked when this round has begun already, on this host or another.

    An error of the work is booked with its text and raised on, so that the worker logs it. A
    round that left some items is booked as not ok, but it went through: the sweep is not late.
    """
    heard(name)
    now = database_now()
    if not _begin(name, now=now, round_seconds=_round_on_the_timetable(name)):
        return 0
    rows, error, through = 0, "did not end", False
    try:
        rows = work(now)
        error, through = "", True
    except Incomplete as some:
        rows, error, through = some.rows, str(some)[:2000], True
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"[:2000]
        raise
    finally:
        ended = database_now()
        fine = {"last_ok_at": ended} if through else {}
        SweepRun.objects.filter(name=name).update(
            ended_at=ended, ok=not error, rows=rows, error=error, runs=F("runs") + 1, **fine
        )
    return rows


def _round_on_the_timetable(name: str) -> float:
    """Seconds of a round when beat has sent us; 0 for a nudge, and outside of a worker."""
    request = current_task.request if current_task else None
    if request is None or not request.get("periodic_task_name"):  # django-celery-beat writes it
        return 0
    return float(settings.EXPECTED_SWEEPS.get(name, 0))


def _begin(name: str, *, now: dt.datetime, round_seconds: float) -> bool:
    """Book the beginning, which of several hosts at once only one does."""
    start = {"started_at": now, "host": settings.PANDASITE_HOST}
    due = SweepRun.objects.filter(name=name)
    if round_seconds:
        # One that begins in the future, by a clock that has been put back since, holds up nobody.
        moment = dt.timedelta(seconds=ROUND_BEGUN * round_seconds)
        due = due.exclude(started_at__gt=now - moment, started_at__lt=now + moment)
    if due.update(**start):
        return True
    _run, made = SweepRun.objects.get_or_create(name=name, defaults=start)
    return made


def patient_until(name: str, *, now: dt.datetime, pause: dt.timedelta) -> dt.datetime | None:
    """Until when nobody's silence counts, since nobody could be heard; None when it does.

    The site was away when this sweep has not gone through for AWAY: from then on, those whose time
    would be up by now have a whole `pause` to say a word.
    """
    run = SweepRun.objects.filter(name=name)
    run.filter(last_ok_at__lt=now - AWAY).update(patient_until=now + pause)
    return run.filter(patient_until__gt=now).values_list("patient_until", flat=True).first()
