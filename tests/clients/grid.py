"""The grid of these tests: one queue with a disk, four input files, and our own pilots."""

from __future__ import annotations

QUEUE = "LOCAL_Q1"
DISK = "LOCAL_DISK"
USER = "alice"
SCOPE = f"user.{USER}"
DATASET = f"user.{USER}.numbers"
# A log among the data: prun leaves those out.
FILES = {f"numbers.{n}.txt": f"{n}\n" for n in (1, 2, 3, 4)} | {"old.log.tgz": "no log\n"}
PILOTS = 4
READY = "ready.json"
