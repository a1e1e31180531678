"""CPU and memory of the processes that serve, from the kernel's own accounts.

On a machine that others use too, a rate says more about them than about the server. What does not
lie is the CPU time that an operation takes, so every figure has it.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

LOAD = "load"  # this process, and pgbench when it ran in between
MB = 2**20


@dataclass(frozen=True)
class Usage:
    """Seconds on the clock, and seconds of CPU by who used them."""

    seconds: float
    cpu: Mapping[str, float]
    machine: float  # of the whole machine, whoever used it

    @property
    def foreign(self) -> float:
        """Cores that others used meanwhile: with much of that, a rate means little."""
        return max(0.0, self.machine - sum(self.cpu.values())) / self.seconds

    @property
    def cores(self) -> float:
        """Cores that the server used: all but the load tool."""
        return sum(used for who, used in self.cpu.items() if who != LOAD) / self.seconds

    def per(self, operations: int) -> dict[str, float]:
        """Microseconds of CPU per operation, by who used them; sums of the server and of `all`."""
        if not operations:
            return {}
        us = {who: 1e6 * used / operations for who, used in self.cpu.items()}
        total = sum(us.values())
        return us | {"server": total - us.get(LOAD, 0.0), "all": total}


def by_cpu(baseline: Mapping[str, float], found: Mapping[str, float]) -> float | None:
    """The ratio that the rates would have on a machine with nothing else to do and no waiting.

    Both are what `Usage.per` has said; None when one of them has counted nothing.
    """
    return baseline["all"] / found["all"] if baseline.get("all") and found.get("all") else None


class Meter:
    """Counts from its making on. `pids` names the roots of the process trees to count."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self._begun = time.monotonic()
        self._cpu = self._read()
        self._machine = machine_cpu()

    def read(self) -> Usage:
        """What was used since the making. A tree that came later counts from its birth on."""
        now = self._read()
        used = {who: max(0.0, total - self._cpu.get(who, 0.0)) for who, total in now.items()}
        return Usage(
            seconds=time.monotonic() - self._begun,
            cpu=used,
            machine=machine_cpu() - self._machine,
        )

    def _read(self) -> dict[str, float]:
        trees = {who: tree_cpu(pid) for who, pid in self._pids().items()}
        return trees | {LOAD: time.process_time() + children_cpu()}


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and all it ever started, user and system."""
    total = 0.0
    for process in family(pid):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # from now on it is in the account of its parent
        total += used.user + used.system + used.children_user + used.children_system
    return total


def memory_mb(pid: int) -> list[float]:
    """Resident memory of a process and of each of its children, in MB (2^20 bytes)."""
    found = []
    for process in family(pid):
        try:
            found.append(process.memory_info().rss / MB)
        except psutil.NoSuchProcess:
            continue
    return found


def peak_mb(pid: int) -> float:
    """The most memory that a process has had (MB), 0 when it has gone.

    Asked while it runs: what the kernel says of a child that has ended begins with the process that
    started it, of which it was a copy.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            lines = [line.split() for line in status if line.startswith("VmHWM:")]
    except OSError:
        return 0.0
    return max((int(words[1]) / 1024 for words in lines), default=0.0)


def family(pid: int) -> list[psutil.Process]:
    """A process and everything below it; nothing when it has gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def machine_cpu() -> float:
    """CPU seconds that this machine has worked, for anybody."""
    used = psutil.cpu_times()
    idle = used.idle + getattr(used, "iowait", 0.0)
    # what a guest used is in `user` already
    guests = getattr(used, "guest", 0.0) + getattr(used, "guest_nice", 0.0)
    return float(sum(used) - idle - guests)


def children_cpu() -> float:
    """CPU seconds of the programs that this process has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
