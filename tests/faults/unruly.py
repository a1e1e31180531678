"""The product's Celery application whose sweeps do not ask whether their round has begun.

Nor does its timetable whether the last message still waits.
"""

from __future__ import annotations

import django

from pandasite.celery import app

django.setup()

from pandasite.base import beat, sweeps  # noqa: E402

__all__ = ["app"]
assert sweeps.ROUND_BEGUN
sweeps.ROUND_BEGUN = 0.0
beat.Scheduler._waits = lambda _scheduler, _entry: False  # type: ignore[method-assign]
