"""Random lives of jobs, with everything that may go wrong on the way.

TEST_EXAMPLES=2000 makes a long night of other lives, and shortens the ones that it breaks.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.jobs.history import Lives

LONG = "TEST_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "16"))


@pytest.mark.timeout(900 + 10 * EXAMPLES if LONG else 120)
@pytest.mark.django_db
def test_no_history_breaks_the_promises():
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            phases=list(Phase) if LONG else [Phase.generate],
            derandomize=not LONG,
            report_multiple_bugs=False,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
