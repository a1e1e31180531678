"""Random lives of jobs, with everything that may go wrong on the way."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

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
