"""States, progress and ETA of a task are what its jobs came to. Pure."""

from __future__ import annotations

from collections import Counter

import pytest

from monitor.production.tallies import RATE_HOURS, STATES, Tally, rate_hours
from tests.builders import NOW, after


@pytest.mark.parametrize(
    ("tally", "state"),
    [
        (Tally(), "new"),
        (Tally(live=Counter(activated=3)), "queued"),
        (Tally(finished=9, live=Counter(activated=3, running=1)), "running"),
        (Tally(finished=1, live=Counter(transferring=1)), "running"),
        (Tally(finished=4, failed=1), "done"),
        (Tally(finished=4, failed=2, lost=1), "partly"),
        (Tally(failed=2, lost=2), "failed"),
        (Tally(cancelled=2, lost=2), "cancelled"),
    ],
)
def test_the_state_of_a_task_is_that_of_its_jobs(tally: Tally, state: str) -> None:
    assert tally.state == state
    assert state in STATES


def test_a_job_that_is_made_anew_does_not_count_twice() -> None:
    # given: one of two jobs failed and has a successor that waits
    tally = Tally(finished=1, failed=1, live=Counter(defined=1))
    assert tally.done_percent == 50
    assert tally.failed_percent == 50


def test_the_eta_is_the_rest_at_the_rate_of_late() -> None:
    # given: 12 jobs ended within 6 hours, and 4 are left
    tally = Tally(finished=12, recent=12, live=Counter(activated=3, running=1))
    assert (tally.rate, tally.eta_s) == (2, 2 * 3600)


def test_without_a_rate_or_a_rest_there_is_no_eta() -> None:
    assert Tally(live=Counter(running=1)).eta_s is None
    assert Tally(finished=1, recent=1).eta_s is None


def test_nothing_has_no_percentage() -> None:
    tally = Tally()
    assert (tally.done_percent, tally.inputs_percent, tally.failed_percent) == (None, None, None)


def test_the_rate_of_a_young_task_is_measured_since_it_was_made() -> None:
    noon = NOW
    assert rate_hours(after(hours=-2), noon) == 2
    assert rate_hours(after(days=-9), noon) == RATE_HOURS
    assert rate_hours(noon, noon) > 0
