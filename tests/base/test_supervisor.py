"""Children live as long as the supervisor, and no longer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pandasite.embedded.process import Command, Identity
from pandasite.launcher import supervisor as supervisor_module
from pandasite.launcher.errors import LaunchError
from pandasite.launcher.supervisor import Layer, Supervisor
from tests.base.homes import alive

FOREVER = ["sleep", "1000"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.05; done"]


@dataclass
class Clock:
    """Time that passes only when it is told to."""

    time: float = 0.0
    lines: list[str] = field(default_factory=list)

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Iterator[Supervisor]:
    with Supervisor(logs=tmp_path, say=clock.lines.append, now=clock) as supervisor:
        yield supervisor


def wait_for_end(supervisor: Supervisor, name: str) -> None:
    process = supervisor.children[name].process
    assert process is not None
    process.wait(timeout=60)


def test_a_child_that_ended_is_started_again_after_its_pause(supervisor, clock):
    first = supervisor.add("one", FOREVER)
    os.kill(first, signal.SIGKILL)
    wait_for_end(supervisor, "one")

    supervisor.tick()
    assert not supervisor.is_running("one")
    clock.time += 0.5
    supervisor.tick()

    assert supervisor.is_running("one")
    assert supervisor.pid("one") != first
    assert clock.lines == ["one ended (signal SIGKILL), starts again in 0.5 s"]


def test_the_pause_doubles_and_begins_anew_after_a_calm_minute(supervisor, clock):
    supervisor.add("one", ["false"])
    for pause in (0.5, 1, 2, 4, 8, 16, 30, 30):
        wait_for_end(supervisor, "one")
        supervisor.tick()
        clock.time += pause
        supervisor.tick()
    clock.time += 60
    wait_for_end(supervisor, "one")
    supervisor.tick()

    pauses = [line.split(" in ")[1] for line in clock.lines]
    assert pauses == [f"{n} s" for n in ("0.5", "1", "2", "4", "8", "16", "30", "30", "0.5")]


def test_a_child_that_must_not_restart_keeps_its_exit_code(supervisor):
    supervisor.add("once", ["sh", "-c", "exit 7"], restart=False)
    wait_for_end(supervisor, "once")

    supervisor.tick()

    assert supervisor.exit_code("once") == 7
    assert supervisor.running() == {}


def test_a_name_belongs_to_one_child(supervisor):
    supervisor.add("one", FOREVER)

    with pytest.raises(LaunchError, match="A child named one runs already"):
        supervisor.add("one", FOREVER)


def test_a_program_that_is_not_there_is_told(supervisor):
    with pytest.raises(LaunchError, match="no-such cannot be started: .*no-such-program"):
        supervisor.add("no-such", ["no-such-program"])

    assert supervisor.running() == {}


def test_what_a_child_prints_is_in_its_log(supervisor, tmp_path):
    supervisor.add("talker", ["sh", "-c", "echo out; echo err >&2"], restart=False)
    wait_for_end(supervisor, "talker")

    assert (tmp_path / "talker.log").read_text() == "out\nerr\n"


def test_a_log_that_grew_too_large_is_cut_while_its_child_goes_on(
    supervisor, clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(supervisor_module, "LARGEST_LOG", 10)
    supervisor.add("talker", ["sh", "-c", "echo more than ten bytes; sleep 1000"])
    wait_until_logged(supervisor)

    clock.time += 60
    supervisor.tick()

    assert (tmp_path / "talker.log").read_text() == ""
    assert (tmp_path / "talker.log.1").read_text() == "more than ten bytes\n"
    assert supervisor.is_running("talker")


def test_a_child_gets_its_environment_and_no_password_on_its_command_line(supervisor, tmp_path):
    command = Command(
        name="reader",
        argv=("sh", "-c", 'read word; echo "$word $PLACE"'),
        env={"PLACE": "here", "PATH": os.environ["PATH"]},
        stdin="secret\n",
    )
    supervisor.add_command(command, restart=False, layer=Layer.SERVER)
    wait_for_end(supervisor, "reader")

    assert (tmp_path / "reader.log").read_text() == "secret here\n"


def test_waiting_ends_when_a_child_broke_three_times_and_shows_its_last_words(tmp_path):
    with (
        Supervisor(logs=tmp_path) as supervisor,
        pytest.raises(LaunchError, match="broken is not ready.*\n  no disk"),
    ):
        supervisor.add("broken", ["sh", "-c", "echo no disk; exit 1"])
        supervisor.wait_for(["broken"], lambda: False, seconds=60)


def test_clients_end_before_the_site_and_servers_last(tmp_path):
    order = tmp_path / "order"

    def note(name: str) -> tuple[str, ...]:
        script = f"trap 'echo {name} >> {order}; exit' TERM; echo; while :; do sleep 0.02; done"
        return ("sh", "-c", script)

    with Supervisor(logs=tmp_path) as supervisor:
        for layer in (Layer.SERVER, Layer.SITE):
            command = Command(name=layer.name, argv=note(layer.name))
            supervisor.add_command(command, layer=layer)
        supervisor.add("CLIENT", note("CLIENT"))
        wait_until_logged(supervisor)

    assert order.read_text().split() == ["CLIENT", "SITE", "SERVER"]


def test_a_child_that_does_not_obey_is_killed_with_its_own_children(tmp_path):
    with Supervisor(logs=tmp_path) as supervisor:
        pid = supervisor.add("stubborn", ["sh", "-c", f"{' '.join(FOREVER)} & {STUBBORN[2]}"])
        wait_until_logged(supervisor)
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        supervisor.remove("stubborn", seconds=0.2)
        assert "stubborn" not in supervisor.children

    assert len(family) >= 2
    psutil.wait_procs(family, timeout=60)
    assert alive(family) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has death signals")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from pandasite.launcher.supervisor import Supervisor\n"
        "supervisor = Supervisor(logs=Path(sys.argv[1]))\n"
        f"print(supervisor.add('one', {STUBBORN}), flush=True)\n"
        "time.sleep(1000)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = Identity.of(int(parent.stdout.readline()))
        parent.kill()

    deadline = time.monotonic() + 60
    while child.process() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.process() is None


def test_a_process_is_known_by_its_start_not_by_its_number_alone():
    me = Identity.of(os.getpid())

    assert me.process() is not None
    assert Identity(pid=me.pid, created=me.created - 100).process() is None


def test_a_zombie_is_dead():
    child = subprocess.Popen(["true"])
    identity = Identity.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert identity.process() is None
    child.wait()


def wait_until_logged(supervisor: Supervisor) -> None:
    """Every child has printed its first line, so its trap is set."""
    logs = [supervisor.log(name) for name in supervisor.children]
    deadline = time.monotonic() + 60
    while not all(log.stat().st_size for log in logs):
        assert time.monotonic() < deadline
        time.sleep(0.01)
