"""Beat with a timetable in the database: for workers that are late, and clocks that are put back.

Where all sweeps together take longer than a round, messages would wait in a queue that grows until
they are too old, and of each round the same ones would be: some sweeps would run all the time and
others never. So a sweep has one message that waits, and its next one is sent when that was taken.

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
from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pandasite.base.nudge import planned

log = logging.getLogger(__name__)
SLACK_SECONDS = 5.0  # a clock that is put right by less costs no more than that


class Planned(ModelEntry):
    """A task that was last sent in the future counts as sent now."""

    last_run_at: dt.datetime

    def is_due(self) -> Any:
        """(whether, seconds until the next look)."""
        now = maybe_make_aware(self._default_now())
        if maybe_make_aware(self.last_run_at) > now + dt.timedelta(seconds=SLACK_SECONDS):
            self.last_run_at = self.model.last_run_at = now
        return super().is_due()


class Scheduler(DatabaseScheduler):
    """Sends nothing that waits already, and looks at its plan anew when the clock was put back."""

    Entry = Planned
    _offset: float | None = None  # of the clock to one that is never put back

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; seconds until the next tick."""
        offset = time.time() - time.monotonic()
        if self._offset is not None and offset < self._offset - SLACK_SECONDS:
            log.warning("clock_put_back", extra={"seconds": round(self._offset - offset)})
            self._heap = None  # of times by the old clock: made anew
        self._offset = offset
        return float(super().tick(*args, **kwargs))

    def apply_entry(self, entry: Planned, producer: Any = None) -> None:
        """Send it, unless its last message still waits: then that one will do."""
        if not self._waits(entry):
            super().apply_entry(entry, producer=producer)

    def _waits(self, entry: Planned) -> bool:
        lasts = entry.options.get("expires")
        if entry.task not in settings.EXPECTED_SWEEPS or not lasts:
            return False
        try:
            marks = self.producer.channel.client
            return not marks.set(planned(entry.task), 1, nx=True, ex=int(lasts))
        except (OperationalError, RedisError):  # to send it will say so
            return False
