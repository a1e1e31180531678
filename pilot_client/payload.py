"""Payload: start the transformation behind its guard, hold it to its limits, end it."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from pilot_client import guard
from pilot_client.errors import JobFailed, LeaseLost, PilotCode
from pilot_client.folder import JobFolder, disk_usage
from pilot_client.launch import GRACE_SECONDS
from pilot_client.measure import MEGABYTE, Meter
from pilot_client.wire import Job

log = logging.getLogger(__name__)

# The grace, the guard's own sweep, and a little: after this the guard itself is beyond hope.
GUARD_SECONDS = GRACE_SECONDS + 4.0
LOOK_SECONDS = 0.5
MEASURE_SECONDS = 2.0
DISK_SECONDS = 10.0
# RSS counts shared pages once per process, and a job that is a little over is not thrown away:
# only twice the larger of what the job asked for and what the slot offers ends it.
MEMORY_TOLERANCE = 2


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How the payload ended: `status` is negative for a signal; CPU time in s."""

    status: int
    swept: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """MB and s; 0 means none."""

    seconds: float
    memory_mb: int
    disk_mb: int

    @classmethod
    def of(cls, job: Job, *, slot_mb: int) -> Limits:
        """A job that names no memory has no memory limit."""
        memory = MEMORY_TOLERANCE * max(job.memory_mb, slot_mb) if job.memory_mb else 0
        return cls(seconds=job.max_seconds, memory_mb=memory, disk_mb=job.disk_mb)


class Payload:
    """One running transformation."""

    def __init__(self, *, spec: guard.Spec, folder: JobFolder, meter: Meter) -> None:
        self._folder = folder
        self._meter = meter
        self._said = b""
        self._guard = start_guard(spec)
        self._started = time.monotonic()
        process = psutil.Process(self._guard.pid)
        meter.follow(process)
        folder.save(stage="payload", payload={"pid": process.pid, "started": process.create_time()})

    def ended(self, wait: float) -> bool:
        """Whether the guard has said its word, waiting that long for it (s)."""
        output = self._guard.stdout
        assert output is not None
        if not select.select([output], [], [], wait)[0]:
            return False
        said = os.read(output.fileno(), 65536)
        self._said += said
        return not said

    def exceeded(self, limits: Limits) -> Callable[[], None]:
        """A check of the limits that takes the expensive measures only now and then."""
        measure = every(MEASURE_SECONDS, lambda: self._check_memory(limits))
        look = every(DISK_SECONDS, lambda: self._check_disk(limits))

        def check() -> None:
            self._check_time(limits)
            measure()
            look()

        return check

    def _check_time(self, limits: Limits) -> None:
        took = time.monotonic() - self._started
        if limits.seconds and took > limits.seconds:
            raise JobFailed(
                PilotCode.TIME_LIMIT, f"ran for {took:.0f} s, the limit is {limits.seconds:.0f} s"
            )

    def _check_memory(self, limits: Limits) -> None:
        used = self._meter.read()
        if limits.memory_mb and used > limits.memory_mb:
            raise JobFailed(
                PilotCode.MEMORY_LIMIT, f"used {used} MB, the limit is {limits.memory_mb} MB"
            )

    def _check_disk(self, limits: Limits) -> None:
        used = disk_usage(self._folder.path) // MEGABYTE if limits.disk_mb else 0
        if used > limits.disk_mb:
            raise JobFailed(
                PilotCode.WORK_FOLDER_TOO_LARGE,
                f"the job folder holds {used} MB, the limit is {limits.disk_mb} MB",
            )

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL for what is still there after the grace."""
        if self._guard.poll() is None:
            self._guard.send_signal(signal.SIGTERM)
        self._result()

    def exit(self) -> Exit:
        """How it ended, once `ended` is true."""
        said = self._result()
        if "error" in said:
            raise JobFailed(PilotCode.NOT_EXECUTED, str(said["error"]))
        if said.get("lease_is_over"):
            log.warning("the guard has ended the payload at the end of the lease")
            raise LeaseLost
        if not isinstance(said.get("status"), int):
            raise JobFailed(PilotCode.NOT_EXECUTED, "the guard of the payload was killed")
        return Exit(status=said["status"], swept=said["swept"])

    def _result(self) -> dict[str, Any]:
        """See the guard off, and read its last word."""
        self._wait_for_guard()
        self._sweep()
        while not self.ended(wait=0):
            continue
        said = parsed(self._said)
        if "cpu_seconds" in said:
            self._meter.settle(cpu_seconds=said["cpu_seconds"], max_rss_bytes=said["max_rss_bytes"])
        return said

    def _wait_for_guard(self) -> None:
        try:
            self._guard.wait(GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def _sweep(self) -> None:
        """What a killed guard left comes to us, its subreaper."""
        left = guard.descendants()
        guard.send(iter(left), signal.SIGKILL)
        psutil.wait_procs(left, timeout=2)


def run(
    *,
    spec: guard.Spec,
    folder: JobFolder,
    meter: Meter,
    limits: Limits,
    check: Callable[[], None],
) -> Exit:
    """Run it to its end. `check` raises when the job has to end early; so do the limits."""
    payload = Payload(spec=spec, folder=folder, meter=meter)
    within_limits = payload.exceeded(limits)
    try:
        while not payload.ended(LOOK_SECONDS):
            check()
            within_limits()
        return payload.exit()
    finally:
        payload.stop()


def every(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Do it at the first call, and then once in so many seconds."""
    due = 0.0

    def now_and_then() -> None:
        nonlocal due
        if time.monotonic() >= due:
            action()
            due = time.monotonic() + seconds

    return now_and_then


def start_guard(spec: guard.Spec) -> subprocess.Popen[bytes]:
    """Start the guard in a session of its own: no terminal signal reaches it.

    Call it from the main thread: the kernel's death signal follows the thread that forks.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pilot_client.guard"],
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(json.dumps(asdict(spec)).encode())
    return process


def parsed(said: bytes) -> dict[str, Any]:
    """The guard's JSON object; empty if it could not finish it."""
    try:
        value = json.loads(said)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
