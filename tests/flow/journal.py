"""What the payloads said of their lives: which attempts ran, and which ran at the same time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process of a payload, from its first line to its last (s of the monotonic clock)."""

    panda_id: int
    attempt: int
    pid: int
    first: float
    last: float

    def __str__(self) -> str:
        return f"{self.panda_id}.{self.attempt} (process {self.pid})"


def runs(journal: Path) -> list[Run]:
    """All runs, in the order of their beginnings."""
    lives: dict[tuple[str, str], list[float]] = {}
    for line in journal.read_text(encoding="ascii").splitlines() if journal.exists() else []:
        name, pid, at = line.split()
        lives.setdefault((name, pid), []).append(float(at))
    found = [run_of(name, pid, times) for (name, pid), times in lives.items()]
    return sorted(found, key=lambda run: run.first)


def run_of(name: str, pid: str, times: list[float]) -> Run:
    panda_id, _, attempt = name.partition(".")
    return Run(
        panda_id=int(panda_id), attempt=int(attempt), pid=int(pid), first=times[0], last=times[-1]
    )


def overlaps(found: list[Run]) -> list[str]:
    """In words, each two runs of one job of which the later began before the earlier ended."""
    by_job: dict[int, list[Run]] = {}
    for run in found:
        by_job.setdefault(run.panda_id, []).append(run)
    return [
        f"{later} began {earlier.last - later.first:.2f} s before the end of {earlier}"
        for of_job in by_job.values()
        for earlier, later in itertools.combinations(of_job, 2)
        if later.first < earlier.last
    ]
