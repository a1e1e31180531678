"""A site that was away itself does not take its pilots' silence for their death."""

from __future__ import annotations

import datetime as dt

import pytest

from jobs import watch
from jobs.models import Job
from pandasite.base.models import SweepRun
from tests.builders import NOW, after, create_job

pytestmark = pytest.mark.django_db
GONE = 12  # hours


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    limits = {"LEASE_SECONDS": 7200, "LEASE_GRACE_SECONDS": 600, "SENT_SECONDS": 1800}
    settings.PANDASITE = settings.PANDASITE | limits


def last_round(at: dt.datetime) -> None:
    """The watchdog went through at that time."""
    SweepRun.objects.update_or_create(name=watch.SWEEP, defaults={"last_ok_at": at})


def states() -> list[str]:
    return [job.state for job in Job.objects.order_by("pk")]


def silent_jobs() -> None:
    """Each would be given up within hours."""
    create_job("running", lease_until=after(hours=2))
    create_job("sent", lease_until=after(minutes=30))
    create_job("running", lease_until=after(hours=2), command="tobekilled")


def test_silence_counts_while_the_site_is_there() -> None:
    silent_jobs()
    last_round(after(hours=GONE, minutes=-1))

    watch.run(after(hours=GONE))

    assert states() == ["activated", "activated", "cancelled"]


def test_after_an_outage_pilots_have_a_whole_lease_to_be_heard() -> None:
    silent_jobs()
    last_round(NOW)

    watch.run(after(hours=GONE))
    last_round(after(hours=GONE))
    watch.run(after(hours=GONE, minutes=1))
    assert states() == ["running", "sent", "running"]

    last_round(after(hours=GONE, minutes=130))
    watch.run(after(hours=GONE, minutes=131))
    assert states() == ["activated", "activated", "cancelled"]


def test_other_limits_hold_after_an_outage() -> None:
    create_job("assigned", state_change_time=NOW - dt.timedelta(days=40))
    last_round(NOW)

    assert watch.run(after(hours=GONE)) == 1


def test_a_new_site_has_not_been_away() -> None:
    silent_jobs()

    watch.run(after(hours=GONE))

    assert states() == ["activated", "activated", "cancelled"]
