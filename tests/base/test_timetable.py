"""What beat sends, as the scheduler that we use reads our timetable."""

from __future__ import annotations

import pytest
from django_celery_beat.schedulers import ModelEntry

from pandasite.celery import app, timetable


@pytest.mark.django_db
def test_a_sweep_that_waited_a_whole_round_is_dropped():
    """Else a worker that was away for an hour would run each sweep once for each round of it."""
    for name, entry in timetable(sweep_seconds=10).items():
        sent = ModelEntry.from_entry(name, app=app, **entry)

        assert sent.options["expires"] == entry["schedule"], name
