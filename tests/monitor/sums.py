"""What pages of sums need: a clock that stands, and the sweeps that add up."""

from __future__ import annotations

import datetime as dt
from typing import Any

from jobs import tally, usage
from jobs.models import Job, Task
from tests.builders import NOW, after, create_job, create_user


def add_up(now: dt.datetime = NOW) -> None:
    """What the two sweeps do."""
    usage.run(now)
    tally.run(now)


def ended(state: str = "finished", *, hours: float = -0.5, **columns: Any) -> Job:
    """A job that ended so many hours after NOW, an hour after its start."""
    end = after(hours=hours)
    return create_job(state, at=end, start_time=end - dt.timedelta(hours=1), **columns)


def create_task(name: str = "mc09.105001.evgen", **fields: Any) -> Task:
    defaults = {"owner": create_user(), "created_at": after(days=-1)}
    return Task.objects.create(name=name, **defaults | fields)
