"""Beat with a timetable in the database, on a machine whose clock may be put back.

Celery counts from when a task was last sent, by the clock of the machine: where that is put back by
an hour, beat sends nothing for that hour, and a new beat reads from the database that it has sent
all of them just now, an hour from now.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import Any

from celery.utils.time import maybe_make_aware
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

log = logging.getLogger(__name__)
SLACK_SECONDS = 5.0  # a clock that is put right by less costs no more than that


class Entry(ModelEntry):
    """A task that was last sent in the future counts as sent now."""

    def is_due(self) -> Any:
        """(whether, seconds until the next look)."""
        now = maybe_make_aware(self._default_now())
        if maybe_make_aware(self.last_run_at) > now + dt.timedelta(seconds=SLACK_SECONDS):
            self.last_run_at = self.model.last_run_at = now
        return super().is_due()


class Scheduler(DatabaseScheduler):
    """Looks at its plan anew when the clock has been put back."""

    Entry = Entry
    _offset: float | None = None  # of the clock to one that is never put back

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; seconds until the next tick."""
        offset = time.time() - time.monotonic()
        if self._offset is not None and offset < self._offset - SLACK_SECONDS:
            log.warning("clock_put_back", extra={"seconds": round(self._offset - offset)})
            self._heap = None  # of times by the old clock: made anew
        self._offset = offset
        return float(super().tick(*args, **kwargs))
