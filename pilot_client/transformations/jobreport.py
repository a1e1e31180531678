"""What every transformation owes the pilot: an exit code, and jobReport.json in its work folder.

Shape of the report: {"exitCode": int, "exitMsg": str, "files": {lfn: {"events": int}}}.
These scripts are shipped to sites as a release and run there by the pilot, so they import
nothing of the server or of the pilot.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

REPORT = "jobReport.json"
BAD_INPUT = 65  # the data-format error of sysexits.h
PROGRAM_FAILED = 70  # its internal-software error
CANNOT_WRITE = 73  # its cannot-create error


class TransformationError(Exception):
    """The transformation cannot do its work; `code` becomes the exit code (1 to 255)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def run(work: Callable[[], dict[str, int]]) -> int:
    """Do the work, write the report whatever came of it, and return the exit code.

    `work` returns the events of each file it wrote, by LFN.
    """
    try:
        files = work()
    except TransformationError as error:
        write_report(exit_code=error.code, message=str(error), files={})
        print(f"error: {error}", file=sys.stderr)
        return error.code
    write_report(exit_code=0, message="OK", files=files)
    return 0


def write_report(*, exit_code: int, message: str, files: dict[str, int]) -> None:
    """Write jobReport.json into the current folder."""
    report = {
        "exitCode": exit_code,
        "exitMsg": message,
        "files": {lfn: {"events": events} for lfn, events in files.items()},
    }
    Path(REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")


def whole_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a neighbour and rename it: a killed payload leaves no half output."""
    part = path.with_name(f"{path.name}.part")
    try:
        write(part)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TransformationError(CANNOT_WRITE, f"cannot write {path}: {error.strerror}") from error
