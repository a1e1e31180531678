"""Measure: CPU time and memory of the payload and all it started."""

from __future__ import annotations

import psutil

MEGABYTE = 1024 * 1024


class Meter:
    """Follows one process tree. Written by the main thread, read by the heartbeat's."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.max_rss_mb = 0
        self._root: psutil.Process | None = None

    def follow(self, root: psutil.Process) -> None:
        """The guard: its descendants are the payload."""
        self._root = root

    def read(self) -> int:
        """Measure now; the resident memory in MB, summed over the processes."""
        rss, cpu = 0, 0.0
        for process in self._tree():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    resident = 0 if process == self._root else process.memory_info().rss
            except psutil.Error:
                continue  # it has just ended
            rss += resident
            # What its own ended children used is handed to the parent, so nothing counts twice.
            cpu += times.children_user + times.children_system
            cpu += 0 if process == self._root else times.user + times.system
        self.cpu_seconds = max(self.cpu_seconds, cpu)
        self.max_rss_mb = max(self.max_rss_mb, rss // MEGABYTE)
        return rss // MEGABYTE

    def settle(self, *, cpu_seconds: float, max_rss_bytes: int) -> None:
        """The kernel's own sums at the end, which miss nothing between two looks."""
        self.cpu_seconds = max(self.cpu_seconds, cpu_seconds)
        self.max_rss_mb = max(self.max_rss_mb, max_rss_bytes // MEGABYTE)

    def _tree(self) -> list[psutil.Process]:
        if self._root is None:
            return []
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
