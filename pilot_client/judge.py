"""Judge: what the end of a payload means. Pure but for reading jobReport.json.

One error is the primary one and is the only one set: the transformation's (`exe`) when the
payload itself failed, the pilot's when the payload was ended from outside or its work could not
be brought home.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilot_client.errors import JobFailed, PayloadCode, PilotCode
from pilot_client.folder import open_regular
from pilot_client.text import clean

REPORT_FILE = "jobReport.json"
MAX_REPORT_BYTES = 4 * 1024 * 1024
MAX_EVENTS = 2**31 - 1
MAX_MESSAGE = 400
MAX_STATUS = 255  # of a process
SHELL_SIGNAL = 128  # a shell, and bubblewrap, say 128 + n for a child that died of signal n

# Signals that a program earns by its own fault are the transformation's error, the others came
# from outside.
SENT_FROM_OUTSIDE = {
    signal.SIGHUP: PilotCode.KILLED_BY_SIGNAL,
    signal.SIGINT: PilotCode.SIGINT,
    signal.SIGQUIT: PilotCode.SIGQUIT,
    signal.SIGKILL: PilotCode.KILLED_BY_SIGNAL,
    signal.SIGTERM: PilotCode.SIGTERM,
    signal.SIGXCPU: PilotCode.SIGXCPU,
    signal.SIGXFSZ: PilotCode.OUTPUT_TOO_LARGE,
}
OWN_FAULT = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the job ended: `exit_code` is the shell's view (128 + n for a signal)."""

    exit_code: int | None = None
    pilot_code: int = 0
    pilot_diag: str = ""
    exe_code: int = 0
    exe_diag: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.pilot_code or self.exe_code)

    def __str__(self) -> str:
        if self.pilot_code:
            return f"failed, pilot error {int(self.pilot_code)}: {self.pilot_diag}"
        if self.exe_code:
            return f"failed, payload error {int(self.exe_code)}: {self.exe_diag}"
        return "finished"


@dataclass(frozen=True, kw_only=True)
class PayloadReport:
    """What the transformation wrote into jobReport.json; `problem` if it could not be read."""

    exit_code: int = 0
    message: str = ""
    events: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def judge(*, status: int, report: PayloadReport, last_words: str) -> Verdict:
    """The verdict on a payload; `status` negative for a signal, `last_words` from stderr."""
    number = died_of(status)
    if number is not None:
        return by_signal(number)
    if status == 0 and report.exit_code == 0:
        return Verdict(exit_code=0)
    words = report.message or last_words
    said = f"exit code {status}" + (f": {words}" if words else "")
    return Verdict(exit_code=status, exe_code=payload_code(report), exe_diag=said[:MAX_MESSAGE])


def died_of(status: int) -> signal.Signals | None:
    """The signal, whether told by the kernel or by a shell in between."""
    number = -status if status < 0 else status - SHELL_SIGNAL
    known = (*SENT_FROM_OUTSIDE, *OWN_FAULT)
    return next((one for one in known if one == number), None)


def by_signal(number: signal.Signals) -> Verdict:
    """The verdict on a payload that a signal ended."""
    exit_code = SHELL_SIGNAL + number
    if number in SENT_FROM_OUTSIDE:
        diag = f"the payload was ended by {number.name}, not sent by this pilot"
        return Verdict(exit_code=exit_code, pilot_code=SENT_FROM_OUTSIDE[number], pilot_diag=diag)
    if number == signal.SIGSEGV:
        return Verdict(
            exit_code=exit_code,
            exe_code=PayloadCode.SEGMENTATION_FAULT,
            exe_diag="segmentation fault",
        )
    return Verdict(
        exit_code=exit_code, exe_code=PayloadCode.UNKNOWN, exe_diag=f"died of {number.name}"
    )


def payload_code(report: PayloadReport) -> int:
    """The report's own code where it is one of the catalogue's, which no exit status can be."""
    return report.exit_code if report.exit_code > MAX_STATUS else PayloadCode.UNKNOWN


def read_report(work: Path) -> PayloadReport:
    """Read jobReport.json; a missing one is normal, a broken one is a `problem`, no error."""
    path = work / REPORT_FILE
    if not os.path.lexists(path):
        return PayloadReport()
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            content = file.read(MAX_REPORT_BYTES + 1)
        if len(content) > MAX_REPORT_BYTES:
            return PayloadReport(problem=f"{REPORT_FILE} is over {MAX_REPORT_BYTES} bytes")
        return report_of(json.loads(content))
    except (JobFailed, ValueError, RecursionError) as error:
        return PayloadReport(problem=f"{REPORT_FILE} cannot be read: {error}"[:MAX_MESSAGE])


def report_of(value: Any) -> PayloadReport:
    """Take what has the right type and leave the rest."""
    if not isinstance(value, dict):
        return PayloadReport(problem=f"{REPORT_FILE} holds no object")
    files = value.get("files")
    return PayloadReport(
        exit_code=bounded(value.get("exitCode"), 65_535),
        message=clean(str(value.get("exitMsg") or ""))[:MAX_MESSAGE],
        events=events_of(files) if isinstance(files, dict) else {},
    )


def events_of(files: Mapping[str, Any]) -> dict[str, int]:
    """The events of each file that says how many it holds."""
    return {
        lfn: bounded(entry["events"], MAX_EVENTS)
        for lfn, entry in files.items()
        if isinstance(entry, dict) and isinstance(entry.get("events"), int)
    }


def bounded(value: object, largest: int) -> int:
    """The whole number between 0 and `largest`, else 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        return 0
    return value
