"""The demo with its real programs, hurt four times: it must still end as intended."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from pytest_django import DjangoDbBlocker

from jobs.models import Job
from jobs.states import JobState
from tests.flow.checks import wrong_anywhere
from tests.flow.installation import Installation, data_folder, eventually
from tests.flow.processes import Family, below, seconds_until_gone

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

DEMO = (sys.executable, "manage.py", "demo", "--once")
END_SECONDS = 900.0


@pytest.fixture
def installation(orphans: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Installation]:
    with data_folder() as path:
        installation = Installation(path, family=Family(), blocker=django_db_blocker)
        yield installation
        installation.clear()


def test_a_demo_with_four_kills_ends_as_intended(installation: Installation) -> None:
    # given
    begun = time.monotonic()
    installation.launch(*DEMO, environment={})
    await_running(installation, number=2)

    # when everything is killed once: the web server, the workers, a pilot at work
    for names in (["web"], ["worker", "transfers"]):
        for name in names:
            installation.process(name).kill()
        await_running(installation, number=2)
    pilot_at_work(installation).kill()
    await_some_finished(installation)

    # and the launcher
    everybody = installation.family.living()
    installation.kill()
    took = seconds_until_gone(everybody, limit=10)
    log.info("%d processes were gone after %.1f s", len(everybody), took)
    assert installation.family.living() == []

    # then the next start takes up the work and brings it to its end
    installation.launch(*DEMO, environment={})
    assert installation.launcher.wait(END_SECONDS) == 0, installation.said()
    log.info("four kills and %.0f s:\n%s", time.monotonic() - begun, installation.said())
    assert "as intended: every job" in installation.said()
    assert installation.family.living() == []
    assert wrongs_in(installation) == []


def await_running(installation: Installation, *, number: int) -> None:
    """Until so many jobs are being run."""
    eventually(installation.answers, seconds=240, what=installation.said)
    eventually(lambda: running(installation) >= number, seconds=240, what=installation.said)


def await_some_finished(installation: Installation) -> None:
    """Until the demo is in its middle: some jobs have finished, and others run."""

    def is_so() -> bool:
        with installation.books():
            return Job.objects.filter(state=JobState.FINISHED).count() >= 3

    eventually(is_so, seconds=240, what=installation.said)
    await_running(installation, number=2)


def running(installation: Installation) -> int:
    with installation.books():
        return Job.objects.filter(state=JobState.RUNNING).count()


def pilot_at_work(installation: Installation) -> psutil.Process:
    """A pilot whose guard has a payload."""
    record = installation.record()
    assert record is not None
    pilots = [installation.process(name) for name in record.children if name.startswith("pilot-")]
    return next(pilot for pilot in pilots if len(below(pilot)) >= 2)


def wrongs_in(installation: Installation) -> list[str]:
    """What is wrong with the books and files that a demo has left."""
    installation.launch(sys.executable, "manage.py", "up", environment={})
    eventually(installation.answers, what=installation.said)
    with installation.books():
        found = wrong_anywhere()
    installation.stop()
    return found
