"""A watchdog of its own: waits for a line, then looks until nothing is left to be moved.

`python -m tests.faults.watchdog` prints `ready`, and at the end how many jobs it moved.
"""

from __future__ import annotations

import sys

import django

django.setup()

from jobs import watch  # noqa: E402
from pandasite.base.clock import database_now  # noqa: E402
from pandasite.base.sweeps import run_sweep  # noqa: E402

watch.BATCH = 20  # many small bunches: the two meet often
LOOKS = 5  # in vain, one after the other: rows that the other one holds are left to it


def main() -> None:
    database_now()  # connected
    say("ready")
    sys.stdin.readline()
    moved, in_vain = 0, 0
    while in_vain < LOOKS:
        rows = run_sweep("jobs.watch", watch.run)
        moved += rows
        in_vain = 0 if rows else in_vain + 1
    say(str(moved))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
