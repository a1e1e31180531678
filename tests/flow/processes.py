"""Which processes a run has, and which it left behind.

The test makes itself the subreaper of all its descendants: a process whose parents are gone, in
whatever session and with whatever environment, becomes its child instead of that of process 1. So
what is left of a run is what can be found below the test.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Collection, Iterable

import psutil

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(on: bool) -> None:
    """Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


class Family:
    """The processes below this one that were not there when it was made."""

    def __init__(self) -> None:
        self._strangers = set(psutil.Process().children())

    def living(self) -> list[psutil.Process]:
        """All of them, zombies left out."""
        ours = [one for one in psutil.Process().children() if one not in self._strangers]
        return [one for child in ours for one in [child, *below(child)] if alive(one)]


def below(process: psutil.Process) -> list[psutil.Process]:
    """All descendants; none of a process that is gone."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie only waits to be collected."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def seconds_until_gone(processes: Iterable[psutil.Process], *, limit: float) -> float:
    """How long they still lived; AssertionError with those that live on after the limit."""
    begun = time.monotonic()
    left = list(processes)
    while left := [one for one in left if alive(one)]:
        assert time.monotonic() - begun < limit, f"still there after {limit} s: {described(left)}"
        time.sleep(0.02)
    return time.monotonic() - begun


def described(processes: Collection[psutil.Process]) -> list[str]:
    return [f"{one.pid} {' '.join(one.cmdline())[:120]}" for one in processes if alive(one)]
