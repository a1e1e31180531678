"""Keeps child processes alive, and ends them in order."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from pandasite.embedded.process import Command, Identity
from pandasite.launcher.errors import LaunchError

FIRST_PAUSE = 0.5  # seconds before a child that ended is started again; doubled each time
LONGEST_PAUSE = 30.0
CALM_AFTER = 60.0  # a child that lived so long begins with the first pause again
LARGEST_LOG = 20 * 1024 * 1024  # bytes; what was in it before is kept once, as <name>.log.1
LOG_PATROL = 60.0  # seconds between two looks at the sizes of the logs
POLL_SECONDS = 0.1


class Layer(IntEnum):
    """Who is ended when: the highest layer first, because it needs the ones below."""

    SERVER = 0
    SITE = 1
    CLIENT = 2


# Together with the last kills below the 30 s in which everything must have ended.
STOP_SECONDS = {Layer.CLIENT: 8.0, Layer.SITE: 10.0, Layer.SERVER: 9.0}


@dataclass(kw_only=True)
class Child:
    """One supervised process: what it is, its running process, and when it is due again."""

    command: Command
    restart: bool
    layer: Layer
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float | None = None
    pause: float = FIRST_PAUSE
    ends: list[int] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children, restarts those that die, ends all.

    Use it from the main thread: on Linux each child is told to die with the thread that made it.
    Nothing happens by itself: call `tick()` often (or `run()`), it never waits.

        with Supervisor(logs=folder, say=print) as supervisor:
            supervisor.add("pilot-1", [sys.executable, "-m", "pilot_client", ...])
            supervisor.run(until=lambda: everything_is_done())

    A child that ends is started again after a pause of 0.5 s, then 1, 2 ... 30 s; `restart=False`
    leaves it ended, and `exit_code()` tells how. Output goes to `<logs>/<name>.log`.
    `changed` is called with the living children whenever one started or ended.
    """

    def __init__(
        self,
        *,
        logs: Path,
        say: Callable[[str], None] = lambda line: None,
        changed: Callable[[Mapping[str, Identity]], None] = lambda children: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.logs = logs
        self.say = say
        self.changed = changed
        self.now = now
        self.children: dict[str, Child] = {}
        self.stopping = False
        self._patrol_at = now() + LOG_PATROL

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def add(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        restart: bool = True,
        cwd: str | Path = "/",
        death_signal: int = signal.SIGKILL,
    ) -> int:
        """Starts a client of the site (a pilot, say) and returns its pid.

        env: its whole environment, None for ours. death_signal: what it gets when we are killed;
        by default its end, because nobody would be left to end one that takes its time.
        Raises LaunchError when the program cannot be started or the name is taken.
        """
        command = Command(
            name=name, argv=tuple(argv), env=env, cwd=str(cwd), death_signal=death_signal
        )
        return self.add_command(command, restart=restart, layer=Layer.CLIENT)

    def add_command(self, command: Command, *, restart: bool = True, layer: Layer) -> int:
        if self.is_running(command.name):
            raise LaunchError(f"A child named {command.name} runs already.")
        child = Child(command=command, restart=restart, layer=layer)
        self.children[command.name] = child
        try:
            self._start(child)
        except OSError as error:
            del self.children[command.name]
            raise LaunchError(f"{command.name} cannot be started: {error}.") from None
        return self.pid(command.name)

    def pid(self, name: str) -> int:
        """The process number of a child that was started."""
        process = self.children[name].process
        assert process is not None
        return process.pid

    def is_running(self, name: str) -> bool:
        return name in self.children and self.children[name].running

    def exit_code(self, name: str) -> int | None:
        """How a child ended the last time (negative: by that signal); None: never."""
        ends = self.children[name].ends
        return ends[-1] if ends else None

    def running(self) -> dict[str, int]:
        """Names and process numbers of the living children."""
        return {name: self.pid(name) for name, child in self.children.items() if child.running}

    def tick(self) -> None:
        """Notices children that ended, and starts again those that are due. Never waits."""
        for child in list(self.children.values()):
            if child.process is not None and not child.running:
                self._note_end(child)
            if child.due_at is not None and self.now() >= child.due_at:
                self._start_again(child)
        if self.now() >= self._patrol_at:
            self._patrol_at = self.now() + LOG_PATROL
            self._cut_logs()

    def run(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Ticks until `until()` is true (then True) or `stopping` is set (then False)."""
        while not self.stopping:
            if until():
                return True
            self.tick()
            time.sleep(POLL_SECONDS)
        return False

    def wait_for(self, names: Iterable[str], ready: Callable[[], bool], *, seconds: float) -> None:
        """Ticks until `ready()`.

        Raises LaunchError with the end of a log when it takes too long or one of the named children
        ended three times, and when `stopping` is set.
        """
        names = list(names)
        deadline = self.now() + seconds
        while not ready():
            self.tick()
            if self.stopping:
                raise LaunchError("Stopped while starting.")
            broken = [name for name in names if len(self.children[name].ends) >= 3]
            if broken or self.now() > deadline:
                raise LaunchError(self._complaint((broken or names)[0], seconds))
            time.sleep(0.02)

    def remove(self, name: str, *, seconds: float = 10.0) -> None:
        """Ends one child and forgets it."""
        self._end([self.children[name]], seconds=seconds)
        del self.children[name]
        self._tell()

    def stop(self) -> None:
        """Ends all children, clients first and servers last, within 30 s."""
        for layer in sorted(Layer, reverse=True):
            members = [child for child in self.children.values() if child.layer is layer]
            self._end(members, seconds=STOP_SECONDS[layer])
        self.children.clear()
        self._tell()

    def _start(self, child: Child) -> None:
        child.due_at = None
        child.process = child.command.start(self.log(child.command.name))
        child.started_at = self.now()
        self._tell()

    def _start_again(self, child: Child) -> None:
        try:
            self._start(child)
        except OSError as error:
            self._plan_restart(child, f"cannot be started ({error})")

    def _note_end(self, child: Child) -> None:
        assert child.process is not None
        code = child.process.returncode
        child.process = None
        child.ends.append(code)
        if self.now() - child.started_at >= CALM_AFTER:
            child.pause = FIRST_PAUSE
        if child.restart:
            self._plan_restart(child, f"ended ({_in_words(code)})")
        self._tell()

    def _plan_restart(self, child: Child, what: str) -> None:
        child.due_at = self.now() + child.pause
        self.say(f"{child.command.name} {what}, starts again in {child.pause:g} s")
        child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _end(self, children: list[Child], *, seconds: float) -> None:
        """Asks all at once, waits for all together, and kills what is left."""
        alive = [child for child in children if child.running]
        for child in children:
            child.due_at = None
        for child in alive:
            _signal(child.process, child.command.stop_signal)
        deadline = time.monotonic() + seconds
        for child in alive:
            _await_end(child.process, deadline)

    def _cut_logs(self) -> None:
        """Copies a log that grew too large and empties it: its writer keeps the file open.

        The writers append, so they go on at the new end. A line written between the copy and the
        cut is lost.
        """
        for log in [self.log(name) for name in self.children]:
            if log.exists() and log.stat().st_size > LARGEST_LOG:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _complaint(self, name: str, seconds: float) -> str:
        log = self.log(name)
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        return "\n  ".join([f"{name} is not ready after {seconds:g} s; the end of {log}:", *tail])

    def _tell(self) -> None:
        self.changed({name: Identity.of(pid) for name, pid in self.running().items()})


def _signal(process: subprocess.Popen[bytes] | None, number: int) -> None:
    if process is not None:
        process.send_signal(number)


def _await_end(process: subprocess.Popen[bytes] | None, deadline: float) -> None:
    if process is None:
        return
    try:
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        # Its whole session: a granian or Celery parent has children of its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"
