"""Starts processes that die with their parent, and tells one from a later one of its number."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pandasite.embedded.home import ServerUser, run_as

PR_SET_PDEATHSIG = 1
# Loaded here, because between fork and exec nothing may be loaded.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: int, *, parent: int | None = None) -> None:
    """Asks the kernel to send this process a signal when its parent ends. Linux only.

    The signal comes when the *thread* that made this process ends. A process that changes its user
    afterwards loses it. When `parent` is given and has already gone, this process ends at once:
    the kernel sends nothing for a death that came before the request.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True, kw_only=True)
class Command:
    """How one long-running child process is started and ended.

    argv: program and arguments. env: its whole environment, None for a copy of ours.
    user: whom root starts it as. stdin: text for its standard input, so that a password shows in
    no process list. fds: open files it inherits. before: called ahead of each start.
    death_signal: what it gets when its parent dies. stop_signal: what ends it in order.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    user: ServerUser | None = None
    stdin: str = ""
    fds: tuple[int, ...] = ()
    cwd: str = "/"
    death_signal: int = signal.SIGKILL
    stop_signal: int = signal.SIGTERM
    before: Callable[[], None] = field(default=lambda: None)

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts it in a session of its own, its output appended to the log.

        Call it from the main thread, see `die_with_parent`. Raises OSError.
        """
        self.before()
        parent = os.getpid()
        with log.open("ab") as output:
            child = subprocess.Popen(
                self.argv,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=self.fds,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(self.death_signal, parent=parent),
                **run_as(self.user),
            )
        if child.stdin:
            with child.stdin:
                child.stdin.write(self.stdin.encode())
        return child


@dataclass(frozen=True)
class Identity:
    """A process number together with its start time (seconds since 1970), which no other shares."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        return cls(pid=pid, created=psutil.Process(pid).create_time())

    def process(self, *, within: float = 2.0) -> psutil.Process | None:
        """The process, if it still is that one (its start within some seconds) and alive.

        A zombie is dead.
        """
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < within
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None
