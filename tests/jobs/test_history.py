"""Random lives of jobs, with everything that may go wrong on the way."""

import os

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from jobs.models.job import JobQuerySet
from tests.jobs.history import Lives

pytestmark = pytest.mark.django_db
LONG_EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "300"))


def live(**more):
    run_state_machine_as_test(
        Lives,
        settings=settings(
            stateful_step_count=50,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def test_no_history_breaks_the_promises():
    """The same lives each time; a broken one is not shortened, which may take long."""
    live(max_examples=3, derandomize=True, phases=[Phase.generate])


@pytest.mark.long
@pytest.mark.timeout(1200 + 5 * LONG_EXAMPLES)
def test_no_other_history_breaks_the_promises():
    live(max_examples=LONG_EXAMPLES)


def without(trigger):
    """The table of jobs does without one of its triggers."""

    def take_away(_monkeypatch):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE jobs_job DISABLE TRIGGER {trigger}")

    return take_away


def impatient(monkeypatch):
    """The watchdog takes whoever has a lease for silent."""
    monkeypatch.setattr(
        JobQuerySet, "silent_since", lambda jobs, _cutoff: jobs.exclude(pulse__lease_until=None)
    )


# What is taken away, and where the lives stumble then.
BROKEN = {
    "any-move-is-written": (without("jobs_job_guard"), "force"),
    "changes-are-not-counted": (without("jobs_job_count_update"), "the_books_agree"),
    "pilots-with-leases-are-given-up": (impatient, "time_passes_and_the_watchdog_looks"),
}


@pytest.mark.long
@pytest.mark.parametrize(("broken", "where"), BROKEN.values(), ids=BROKEN)
def test_the_same_lives_find_a_broken_promise(monkeypatch, broken, where):
    """The control: a product without one of its guards."""
    broken(monkeypatch)

    with pytest.raises(AssertionError) as found:
        test_no_history_breaks_the_promises()

    assert found.traceback[-1].name == where
