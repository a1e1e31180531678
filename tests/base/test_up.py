"""`manage.py up` and `down`, as a user runs them; tests/faults/test_launcher.py has the kills."""

import signal
import time
from collections.abc import Iterator

import pytest
import requests

from tests.base.homes import alive, family_of, with_word
from tests.base.launched import Running, Site, finish, one_start, site_of_many_starts


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with site_of_many_starts() as site:
        yield site


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[Running]:
    with one_start(site) as running:
        yield running


@pytest.mark.timeout(900)
def test_up_says_where_the_site_is_and_it_answers_there(running):
    assert running.url.startswith("http://127.0.0.1:")
    assert running.live()


def test_a_second_up_says_that_it_runs_already(site, running):
    sentence = f"pandasite already runs at {running.url} (process {running.process.pid})."

    assert site.ask("up") == (1, f"CommandError: {sentence}\n")


def processes(running: Running) -> dict[int, str]:
    """What the site says of its processes: their numbers, and what they do."""
    told = requests.get(f"{running.url}servers/?format=json", timeout=60).json()
    return {row["pid"]: f"{row['role']} {row['work']}".strip() for row in told["processes"]}


def wait_for_processes(running: Running, *, other_than: set[int]) -> dict[int, str]:
    """Until all that should be there are, and none of those."""
    deadline = time.monotonic() + 180
    wanted = ["web", "web", "worker celery", "worker transfers"]
    while sorted((found := processes(running)).values()) != wanted or other_than & {*found}:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


@pytest.mark.timeout(900)
def test_every_process_says_that_it_is_there_and_none_is_missed_that_ended_in_order(running):
    # given
    first = wait_for_processes(running, other_than=set())
    assert {*first} <= {process.pid for process in family_of(running.process.pid)}
    web = {pid for pid, work in first.items() if work == "web"}
    # when: the web server exchanges its workers
    with_word(running.family, "pandasite.launcher.web").send_signal(signal.SIGHUP)
    # then
    wait_for_processes(running, other_than=web)


@pytest.mark.timeout(900)
def test_down_ends_everything_in_order(site, running):
    family = family_of(running.process.pid)

    answer = site.ask("down")

    assert answer == (0, f"ended pandasite (process {running.process.pid})\n")
    assert finish(running).endswith("stopping\nstopped\n")
    assert running.process.returncode == 0
    assert alive([*running.family, *family]) == []
    assert site.ask("down") == (0, "nothing is running\n")


def test_a_bad_setting_stops_the_start_with_one_sentence(site):
    refused = Site(folder=site.folder, extra={"PANDASITE_SWEEP_SECONDS": "often"})

    sentence = "PANDASITE_SWEEP_SECONDS must be a whole number from 1 to 3600, not 'often'."
    assert refused.ask("up") == (1, f"Cannot start: {sentence}\n")
