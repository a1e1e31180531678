"""How a transformation ends: exit codes with a meaning, and jobReport.json for the pilot."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

# Above what a shell makes of signals, and where no program of a user's is likely to end. The
# catalogue of errors has them with EXE in front: 65201 and so on.
BAD_PARAMETERS = 201
NO_SANDBOX = 202
BAD_SANDBOX = 203
NO_INPUT = 204
NO_OUTPUT = 205
NOT_OFFERED = 206
NO_DISK = 207
NOT_MERGED = 208
EXE = 65_000


class Failed(Exception):
    """It cannot go on: an exit code and a sentence for who looks at the job."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def ending(work: Callable[[], int]) -> int:
    """Do the work; its exit code. A failure of ours is told to the pilot, too."""
    try:
        return work()
    except Failed as error:
        failure = error
    except OSError as error:
        failure = Failed(NO_DISK, f"on the worker node: {error}")
    print(f"error: {failure}", file=sys.stderr, flush=True)
    report = {"exitCode": EXE + failure.code, "exitMsg": str(failure), "files": {}}
    Path("jobReport.json").write_text(json.dumps(report), encoding="utf-8")
    return failure.code
