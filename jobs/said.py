"""What a pilot may say of its job, and what it is answered. It knows no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

TOBEKILLED = "tobekilled"
LOG_SCOPE = "log"  # no output may be in it: the names of logs to come can be guessed
FINAL_WORDS = ("finished", "failed")


@dataclass(frozen=True, kw_only=True)
class ReportedFile:
    """A file that the pilot put at the site's storage: size in bytes, adler32 as 8 hex digits."""

    lfn: str
    guid: str
    size: int
    adler32: str
    events: int | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """One word of a pilot: see docs/rest.md for the fields. Times are its claims only."""

    panda_id: int
    attempt_nr: int
    lease_token: str
    seq: int
    state: str
    sent_at: dt.datetime | None = None
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None
    cpu_consumption_time: int | None = None
    max_rss_mb: int | None = None
    stdout_tail: str | None = None
    truncated: bool = False
    exit_code: int | None = None
    errors: dict[str, Any] = field(default_factory=dict)  # pilot_/exe_error_code and _diag
    output_files: Sequence[ReportedFile] = ()
    log_file: ReportedFile | None = None

    @classmethod
    def of(cls, said: dict[str, Any]) -> Report:
        """As by keywords, in a fifth of the time: a frozen class sets its fields one by one."""
        made = object.__new__(cls)
        own = vars(made)
        own.update(_UNSAID)
        own["errors"] = {}
        own.update(said)
        return made

    @property
    def is_final(self) -> bool:
        """Whether the pilot has no more to say."""
        return self.state in FINAL_WORDS

    def reason(self) -> dict[str, Any]:
        """What the event of a final word says; the times are the pilot's claims."""
        times = {"start_time": self.start_time, "end_time": self.end_time}
        claims = {name: at.isoformat() for name, at in times.items() if at}
        return {"said": self.state, "exit_code": self.exit_code} | self.errors | claims

    def blame(self) -> dict[str, Any]:
        """The error columns of a failure; one that names none is counted as unknown."""
        if self.errors.get("pilot_error_code") or self.errors.get("exe_error_code"):
            return self.errors
        if self.exit_code:
            return self.errors | {
                "exe_error_code": 69999,
                "exe_error_diag": f"the transformation ended with exit code {self.exit_code}",
            }
        return self.errors | {
            "pilot_error_code": 1220,
            "pilot_error_diag": "the pilot reported a failure without an error code",
        }


_UNSAID = {f.name: f.default for f in fields(Report) if f.default is not MISSING}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The job's state after the report, and what the pilot is to do."""

    state: str
    command: str | None = None
    replayed: bool = False


def log_name(panda_id: int, attempt_nr: int) -> tuple[str, str]:
    """(scope, LFN) of the log tarball of an attempt."""
    return LOG_SCOPE, f"log.{panda_id}._{attempt_nr}.job.log.tgz"
