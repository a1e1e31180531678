"""When the cycle runs: by the setting, until somebody changes it in the admin."""

from __future__ import annotations

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.bamboo import timetable
from tests.builders import NOW, after

pytestmark = pytest.mark.django_db


def every() -> int:
    return PeriodicTask.objects.get(name="jobs.bamboo").interval.every


def test_the_cycle_is_planned_every_ten_minutes():
    timetable.plan()

    row = PeriodicTask.objects.get(name="jobs.bamboo")
    assert (row.task, row.interval.every, row.expire_seconds) == ("jobs.bamboo", 600, 600)


def test_the_setting_counts_as_long_as_nobody_has_changed_the_row(settings):
    timetable.plan()
    settings.PANDASITE = {**settings.PANDASITE, "BAMBOO_SECONDS": 10}

    timetable.plan()

    assert every() == 10


def test_what_the_admin_has_changed_stays_at_the_next_start(settings):
    row = timetable.plan()
    row.interval = IntervalSchedule.objects.create(every=45, period="seconds")
    row.save()
    settings.PANDASITE = {**settings.PANDASITE, "BAMBOO_SECONDS": 10}

    timetable.plan()

    assert every() == 45


def test_a_cycle_that_was_switched_off_stays_off(settings):
    row = timetable.plan()
    row.enabled = False
    row.save()
    settings.PANDASITE = {**settings.PANDASITE, "BAMBOO_SECONDS": 10}

    assert timetable.plan().enabled is False
    assert timetable.planned(now=NOW, last=NOW).words == "switched off in the timetable"


def test_the_next_cycle_is_due_one_round_after_the_last():
    timetable.plan()

    plan = timetable.planned(now=after(minutes=4), last=NOW)

    assert (plan.words, plan.next_at) == ("every 600 s", after(minutes=10))
    assert not plan.is_late(NOW, now=after(minutes=30))
    assert plan.is_late(NOW, now=after(minutes=31))
