"""The guard: a small process between pilot and payload that leaves nothing behind.

`python -m pilot_client.guard` reads a Spec as JSON on standard input, starts the payload in a
session of its own, and writes one JSON object on standard output when all is over. Being the
subreaper, it inherits whatever the payload forks and forgets; it ends all of it when the payload
has ended, when it receives SIGTERM (with a grace), and at once when the pilot is gone, however
the pilot went, or when the lease has run out: a pilot that is stopped cannot see to that.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PILOT_GONE = signal.SIGHUP
LOOK_SECONDS = 1.0  # how often the parent is looked at where the kernel sends no death signal
SWEEP_SECONDS = 20.0  # a process in an unkillable sleep is given up after this
RSS_UNIT = 1024 if sys.platform == "linux" else 1  # of ru_maxrss, in bytes
NEWS = (signal.SIGCHLD, signal.SIGTERM, PILOT_GONE, signal.SIGALRM)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What to start. `fsize` is the largest file in bytes (0: any), `grace` in s.

    `wrapped`: the first process is a sandbox that would take the payload down ungracefully, so it
    is spared by SIGTERM. `lease` is a file with the end of the lease, which the pilot renews.
    """

    argv: list[str]
    cwd: str
    env: dict[str, str]
    stdout: str
    stderr: str
    pilot_pid: int
    grace: float
    fsize: int
    wrapped: bool
    lease: str


class Guard:
    """Starts the payload and sees to its end."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._status: int | None = None
        self._kill_at = float("inf")
        self._lease_is_over = False
        self._child = start(spec)

    def watch(self) -> dict[str, Any]:
        """Wait for the end of the payload and of all it started; what it came to."""
        while self._status is None:
            self._obey(signal.sigwait(NEWS))
            self._reap()
            if time.monotonic() > self._kill_at:
                break
        swept = self._sweep()
        return self._result(swept)

    def _obey(self, news: int) -> None:
        self._lease_is_over = time.monotonic() > end_of_lease(Path(self._spec.lease))
        if news == PILOT_GONE or os.getppid() != self._spec.pilot_pid or self._lease_is_over:
            self._kill_at = 0.0
        elif news == signal.SIGTERM and self._kill_at == float("inf"):
            self._kill_at = time.monotonic() + self._spec.grace
            send(self._graceful(), signal.SIGTERM)

    def _graceful(self) -> Iterator[psutil.Process]:
        spared = self._child.pid if self._spec.wrapped else 0
        return (process for process in descendants() if process.pid != spared)

    def _reap(self) -> None:
        for pid, status in reaped():
            if pid == self._child.pid:
                self._status = self._child.returncode = os.waitstatus_to_exitcode(status)

    def _sweep(self) -> int:
        """Kill what is left until nothing is; how many processes the payload had forgotten."""
        killed: set[int] = set()
        end = time.monotonic() + SWEEP_SECONDS
        while (left := descendants()) and time.monotonic() < end:
            if not self._spec.wrapped:  # a sandbox's own init may still be about to go
                killed.update(process.pid for process in left if is_alive(process))
            send(iter(left), signal.SIGKILL)
            time.sleep(0.01)
            self._reap()
        return len(killed)

    def _result(self, swept: int) -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "status": self._status,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "max_rss_bytes": used.ru_maxrss * RSS_UNIT,
            "swept": swept,
            "lease_is_over": self._lease_is_over,
        }


def renew_lease(file: Path, end: float) -> None:
    """Write down until when the lease lasts (s of the monotonic clock, the same for both)."""
    file.write_text(str(end), encoding="ascii")


def end_of_lease(file: Path) -> float:
    """What was written there; for ever, while it is being written."""
    try:
        return float(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return float("inf")


def start(spec: Spec) -> subprocess.Popen[bytes]:
    """Start the payload with its limits."""
    with open(spec.stdout, "ab") as stdout, open(spec.stderr, "ab") as stderr:
        return subprocess.Popen(
            spec.argv,
            cwd=spec.cwd,
            env=spec.env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=lambda: prepare(spec),  # safe: the guard has one thread
        )


def prepare(spec: Spec) -> None:
    """In the child, before the payload: limits, signals as usual, and death with the guard."""
    die_with_parent(signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec.fsize:
        lower(resource.RLIMIT_FSIZE, spec.fsize)


def lower(limit: int, value: int) -> None:
    """Set soft and hard limit; one that the batch system set lower already stays."""
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def reaped() -> Iterator[tuple[int, int]]:
    """Collect ended children, adopted ones too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def descendants() -> list[psutil.Process]:
    """All processes below this one."""
    return psutil.Process().children(recursive=True)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs and is no zombie that waits to be collected."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def send(processes: Iterator[psutil.Process], number: signal.Signals) -> None:
    """Signal them all; psutil checks the start time, so a reused pid is safe."""
    for process in processes:
        try:
            process.send_signal(number)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def die_with_parent(number: signal.Signals) -> None:
    """Ask the kernel for a signal at the death of the thread that started this process."""
    prctl(PR_SET_PDEATHSIG, number)


def become_subreaper() -> None:
    """Inherit orphaned descendants instead of losing them to process 1."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the guard looks at its parent every second, and sees no double fork."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main() -> int:
    """Entry point of the guard process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, NEWS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec = Spec(**json.load(sys.stdin))
    become_subreaper()
    die_with_parent(PILOT_GONE)
    if os.getppid() != spec.pilot_pid:
        return 1  # the pilot died before the death signal was asked for
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    return tell(outcome(spec))


def outcome(spec: Spec) -> dict[str, Any]:
    """Run the payload to its end; what came of it."""
    try:
        guard = Guard(spec)
    except OSError as error:
        return {"error": f"cannot start {os.path.basename(spec.argv[0])}: {error.strerror}"}
    return guard.watch()


def tell(result: dict[str, Any]) -> int:
    """Hand the result to the pilot, if it is still there to hear it."""
    try:
        print(json.dumps(result), flush=True)
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
