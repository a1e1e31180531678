"""The hard ends: killed by the server, by a signal, by kill -9; and nothing is left running."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
import pytest

from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import Site, end_of, eventually, kill, running, with_word
from tests.pilot.test_payload import DOUBLE_FORK, PYTHON


def started(site: Site, server: FakeServer, word: str, *, isolation: str = "none") -> (
    subprocess.Popen[str]
):  # fmt: skip
    """A pilot whose payload sleeps for `word` seconds."""
    server.jobs.append(site.job(f"exec sleep {word}"))
    pilot = site.start(server, "--once", isolation=isolation)
    eventually(lambda: with_word(word), what="the payload did not start")
    return pilot


def guards_of(pilot: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(pilot.pid).children()


def test_a_kill_command_ends_the_payload_and_is_reported(
    server: FakeServer, site: Site, word: str, isolation: str
) -> None:
    # given
    pilot = started(site, server, word, isolation=isolation)

    # when
    server.killed.add(1)

    # then
    assert end_of(pilot).code == 0
    assert server.final()["pilot_error_code"] == 1144
    assert with_word(word) == []


@pytest.mark.parametrize("how", ["stale", "cancelled"])
def test_a_job_that_the_server_has_ended_is_dropped_without_a_word(
    server: FakeServer, site: Site, word: str, how: str
) -> None:
    # given
    pilot = started(site, server, word)

    # when
    getattr(server, how).add(1)

    # then
    ended = end_of(pilot)
    assert ended.code == 0
    assert "lease lost, dropped" in ended.log
    assert server.finals() == []
    assert with_word(word) == []
    assert site.leftovers() == []
    assert not (site.storage / "mc08").exists()


def test_a_pilot_without_an_answer_for_a_whole_lease_ends_its_payload(
    server: FakeServer, site: Site, word: str
) -> None:
    # given
    server.jobs.append(site.job(f"exec sleep {word}", lease_seconds=2))
    pilot = site.start(server, "--once")
    eventually(lambda: with_word(word), what="the payload did not start")

    # when
    server.is_down_for = lambda report: True

    # then
    ended = end_of(pilot)
    assert ended.code == 0
    assert "lease lost, dropped" in ended.log
    assert server.finals() == []
    assert with_word(word) == []


def test_no_payload_starts_before_the_server_has_heard_of_its_pilot(
    server: FakeServer, site: Site
) -> None:
    # given a server that hands out a job and then hears nothing for a while
    server.is_down_for = lambda report: True
    server.jobs.append(site.job("date > HIST.1", outputs=("HIST.1",)))
    pilot = site.start(server, "--once")
    eventually(lambda: (site.workdir / "1.1" / "work").is_dir())

    # when
    time.sleep(1)
    started = (site.workdir / "1.1" / "work" / "HIST.1").exists()
    server.is_down_for = lambda report: False

    # then
    assert end_of(pilot).code == 0
    assert not started
    assert server.final()["state"] == "finished"


def test_a_pilot_that_slept_past_its_lease_does_not_touch_the_storage(
    server: FakeServer, site: Site
) -> None:
    # given a pilot that is stopped while its payload goes on to the end
    ready = site.root / "ready"
    script = f"while ! test -e {ready}; do sleep 0.05; done; echo mine > HIST.1"
    server.jobs.append(site.job(script, outputs=("HIST.1",), lease_seconds=1))
    pilot = site.start(server, "--once")
    eventually(server.heard("running"))
    pilot.send_signal(signal.SIGSTOP)
    ready.touch()
    site.put("mc08/d/HIST.1", b"of the second attempt")

    # when it wakes up after the job was given to somebody else
    time.sleep(1)
    server.stale.add(1)
    pilot.send_signal(signal.SIGCONT)

    # then
    assert end_of(pilot).code == 0
    assert server.finals() == []
    assert (site.storage / "mc08/d/HIST.1").read_bytes() == b"of the second attempt"


def test_kill_9_of_the_pilot_leaves_no_process(
    server: FakeServer, site: Site, word: str, isolation: str
) -> None:
    # given a payload that has hidden a part of itself in another session
    server.jobs.append(site.job(PYTHON + DOUBLE_FORK.format(seconds=word, then=60)))
    pilot = site.start(server, isolation=isolation)
    eventually(lambda: with_word(word))
    family = psutil.Process(pilot.pid).children(recursive=True)

    # when
    kill(pilot)

    # then
    assert len(family) >= 3
    eventually(lambda: not any(running(one.pid) for one in family))
    eventually(lambda: with_word(word) == [])


def test_kill_9_of_the_guard_leaves_no_process_and_fails_the_job(
    server: FakeServer, site: Site, word: str
) -> None:
    # given
    server.jobs.append(site.job(PYTHON + DOUBLE_FORK.format(seconds=word, then=60)))
    pilot = site.start(server, "--once")
    eventually(lambda: with_word(word))

    # when
    [guard] = guards_of(pilot)
    guard.kill()

    # then
    assert end_of(pilot).code == 0
    assert server.final()["pilot_error_code"] == 1305
    assert with_word(word) == []


def test_kill_9_of_pilot_and_guard_is_cleaned_up_by_the_next_pilot(
    server: FakeServer, site: Site, word: str
) -> None:
    # given a payload that nobody is left to end
    server.jobs.append(site.job(PYTHON + DOUBLE_FORK.format(seconds=word, then=60)))
    pilot = site.start(server)
    eventually(lambda: with_word(word))
    [guard] = guards_of(pilot)
    guard.suspend()
    pilot.send_signal(signal.SIGKILL)
    guard.kill()
    end_of(pilot)
    assert with_word(word) != []

    # when
    server.jobs.append(site.job(panda_id=2))
    ended = site.run(server)

    # then the old job is left to its lease, and the new one runs
    assert with_word(word) == []
    assert "leftover 1.1: died in stage payload" in ended.log
    assert [one["panda_id"] for one in server.finals()] == [2]
    assert site.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_payload_reports_the_job_and_ends_the_pilot(
    server: FakeServer, site: Site, word: str, number: signal.Signals
) -> None:
    # given
    pilot = started(site, server, word)

    # when
    pilot.send_signal(number)

    # then
    ended = end_of(pilot)
    assert ended.code == 0
    assert server.final()["pilot_error_code"] == 1201
    assert number.name in server.final()["pilot_error_diag"]
    assert "log_file" in server.final()
    assert with_word(word) == []
    assert site.leftovers() == []


def test_a_second_signal_ends_the_pilot_on_the_spot(
    server: FakeServer, site: Site, word: str
) -> None:
    # given a pilot that waits for a payload that does not want to end
    server.jobs.append(site.job(f"trap '' TERM; while :; do sleep 0.{word}; done"))
    pilot = site.start(server)
    eventually(lambda: with_word(f"0.{word}"))
    pilot.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert pilot.poll() is None

    # when
    pilot.send_signal(signal.SIGTERM)

    # then it is gone, and the payload with it
    assert end_of(pilot, timeout=30).code == 128 + signal.SIGTERM
    eventually(lambda: with_word(f"0.{word}") == [])
