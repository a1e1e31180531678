"""The launcher's address, its lock and its memory of whom it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured

from pandasite.embedded.process import Identity
from pandasite.environment import Environment
from pandasite.launcher.bind import Bind, url_of
from pandasite.launcher.down import bring_down
from pandasite.launcher.errors import AlreadyRuns, LaunchError
from pandasite.launcher.state import Hold, Record, end_processes
from tests.base.homes import home_in

HOLD_IT = (
    "import sys, time; from pathlib import Path\n"
    "from pandasite.launcher.state import Hold\n"
    "hold = Hold(Path(sys.argv[1])); hold.take(); print('held', flush=True); time.sleep(1000)\n"
)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a folder; it is killed at the end."""
    command = [sys.executable, "-c", HOLD_IT, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def stop(process: subprocess.Popen[str]) -> None:
    """SIGSTOP, and wait until it has come: of two signals under way the smaller number is first."""
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_taken_port_moves_only_when_nobody_asked_for_it():
    with Bind(host="127.0.0.1", port=0).listen() as taken:
        port = taken.getsockname()[1]

        with Bind(host="127.0.0.1", port=port, movable=True).listen() as other:
            assert other.getsockname()[1] != port
            assert url_of(other) == f"http://127.0.0.1:{other.getsockname()[1]}/"
        with pytest.raises(LaunchError, match=f"Cannot listen on 127.0.0.1:{port}.*PANDASITE_BIND"):
            Bind(host="127.0.0.1", port=port).listen()


def test_the_default_address_is_the_loopback_and_may_move():
    assert Bind.from_environment(Environment({})) == Bind("127.0.0.1", 8000, movable=True)
    asked = Environment({"PANDASITE_BIND": "[::1]:9"})
    assert Bind.from_environment(asked) == Bind("::1", 9, movable=False)


@pytest.mark.parametrize("text", ["8000", "localhost", ":80", "a:b", "h:70000", "h:1 x", "h:1\n2"])
def test_a_bad_address_is_refused_with_its_form(text):
    with pytest.raises(ImproperlyConfigured, match="PANDASITE_BIND must look like 127.0.0.1:8000"):
        Bind.from_environment(Environment({"PANDASITE_BIND": text}))


def test_a_folder_has_one_launcher(tmp_path):
    with holder(tmp_path) as other:
        Record(launcher=Identity.of(other.pid), url="http://x/").write(tmp_path / "launcher.json")

        with pytest.raises(AlreadyRuns, match=f"runs at http://x/ .process {other.pid}."):
            Hold(tmp_path).take()


def test_a_killed_launcher_gives_its_folder_free(tmp_path):
    with holder(tmp_path):
        pass
    hold = Hold(tmp_path)

    assert not hold.is_taken()
    hold.take()
    hold.release()


def test_a_record_reads_as_it_was_written_and_a_damaged_one_is_none(tmp_path):
    file = tmp_path / "launcher.json"
    record = Record(launcher=Identity(1, 2.5), children={"web": Identity(3, 4.5)}, url="http://x/")

    record.write(file)
    assert Record.read(file) == record

    file.write_text('{"launcher": 1}')
    assert Record.read(file) is None


def test_only_the_processes_of_before_are_ended(tmp_path):
    with subprocess.Popen(["sleep", "1000"]) as ours, subprocess.Popen(["sleep", "1000"]) as later:
        ours_then = Identity.of(ours.pid)
        number_used_again = Identity(pid=later.pid, created=Identity.of(later.pid).created - 100)

        ended = end_processes({"web": ours_then, "worker": number_used_again}, seconds=5)

        assert ended == ["web"]
        assert later.poll() is None
        later.kill()
    assert ours.returncode == -signal.SIGTERM


def test_what_does_not_end_is_killed(tmp_path):
    script = "trap '' TERM INT; echo ready; while :; do sleep 0.02; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()

        end_processes({"web": Identity.of(stubborn.pid)}, seconds=0.2)

    assert stubborn.returncode == -signal.SIGKILL


def test_down_ends_the_leftovers_of_a_killed_launcher(tmp_path):
    home = home_in(tmp_path)
    home.make()
    lines: list[str] = []
    with subprocess.Popen(["sleep", "1000"]) as leftover:
        dead = Identity(pid=os.getpid(), created=1.0)
        record = Record(launcher=dead, children={"web": Identity.of(leftover.pid)})
        record.write(Hold(home.run).record_path)

        assert bring_down(home, say=lines.append) is True

    assert lines == ["ended what a killed launcher left: web"]
    assert bring_down(home, say=lines.append) is False


def test_down_kills_a_launcher_that_does_not_end_and_its_children(tmp_path):
    home = home_in(tmp_path)
    home.make()
    with holder(home.run) as launcher, subprocess.Popen(["sleep", "1000"]) as child:
        stop(launcher)
        children = {"web": Identity.of(child.pid)}
        record = Record(launcher=Identity.of(launcher.pid), children=children)
        record.write(Hold(home.run).record_path)

        assert bring_down(home, say=lambda line: None, patience=0.2) is True

    assert (launcher.returncode, child.returncode) == (-signal.SIGKILL, -signal.SIGTERM)


def test_down_ends_the_children_of_a_launcher_that_forgot_them(tmp_path):
    home = home_in(tmp_path)
    home.make()
    with holder(home.run) as launcher, subprocess.Popen(["sleep", "1000"]) as child:
        children = {"web": Identity.of(child.pid)}
        record = Record(launcher=Identity.of(launcher.pid), children=children)
        record.write(Hold(home.run).record_path)

        assert bring_down(home, say=lambda line: None) is True

    assert (launcher.returncode, child.returncode) == (-signal.SIGTERM, -signal.SIGTERM)


def test_down_touches_nothing_where_nothing_ever_ran(tmp_path):
    home = home_in(tmp_path)

    assert bring_down(home, say=print) is False
    assert not home.path.exists()
