"""What every sweep shares: a row that says when it last ran, on which host, and how it went.

There is no lock: every sweep takes the rows it changes with SKIP LOCKED or a conditional
update, so it is safe to run twice and at the same time as itself.
"""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable

from django.db.models import F

from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from pandasite.base.nudge import heard
from pandasite.base.rounds import Incomplete


def run_sweep(name: str, work: Callable[[dt.datetime], int]) -> int:
    """Run `work(now)`, book the run under `name`, and return the number of rows it changed.

    An error of the work is booked with its text and raised on, so that the worker logs it. A
    round that left some items is booked as not ok, but it went through: the sweep is not late.
    """
    heard(name)
    now = database_now()
    start = {"started_at": now, "host": socket.gethostname()}
    SweepRun.objects.update_or_create(name=name, defaults=start)
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
