"""The error catalogue: what each code of each component means, and whether a retry makes sense.

Keyed by (component, code, source), since server, pilot and the catalogue of 2009 gave meanings
of their own to the same numbers. The rows are in error_codes.csv; the table `ErrorCode` is made
equal to them by `sync_catalogue` after each migration, except `do_not_retry`, which belongs to
the administrator once the row exists.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Error:
    """What a service sets on a job: which component, its code, and words for this case."""

    component: str
    code: int
    diag: str = ""

    def said(self, diag: str) -> Error:
        """The same error with words for one case."""
        return Error(component=self.component, code=self.code, diag=diag)

    def as_reason(self) -> dict[str, Any]:
        """For the event of a move; without words of its own, those of the catalogue."""
        said = self.diag or meaning(self.component, self.code)
        return {"component": self.component, "code": self.code, "diag": said}

    def columns(self) -> dict[str, Any]:
        """The two columns of the job."""
        return {
            f"{self.component}_error_code": self.code,
            f"{self.component}_error_diag": self.diag[:500],
        }


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reviewed row of the catalogue."""

    component: str
    code: int
    source: str
    acronym: str
    meaning: str
    do_not_retry: bool


NO_RELEASE = Error(component="brokerage", code=100)
INPUT_FAILED = Error(component="ddm", code=100)
OUTPUT_NOT_ADDED = Error(component="ddm", code=200)
LOST_HEARTBEAT = Error(component="job_dispatcher", code=100)
RECOVERY_FAILED = Error(component="job_dispatcher", code=101)
NO_REPLY = Error(component="job_dispatcher", code=102)
KILLED = Error(component="task_buffer", code=100)
TRANSFER_TIMEOUT = Error(component="task_buffer", code=101)
EXPIRED = Error(component="task_buffer", code=102)
WAIT_TIMEOUT = Error(component="task_buffer", code=104)

UNKNOWN = "Unknown error code"

# Where two sources explain one code, the one that set it is believed first.
SOURCES = ("server", "pilot", "trf", "seed")


def precedence(source: str) -> int:
    """The rank of a source, 0 the first; one that is not ours comes last."""
    return SOURCES.index(source) if source in SOURCES else len(SOURCES)


@cache
def catalogue() -> tuple[Row, ...]:
    """All reviewed rows, in the order of the file."""
    text = files("jobs").joinpath("error_codes.csv").read_text(encoding="utf-8")
    return tuple(
        Row(
            component=row["component"],
            code=int(row["code"]),
            source=row["source"],
            acronym=row["acronym"],
            meaning=row["meaning"],
            do_not_retry=row["do_not_retry"] == "1",
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def _meanings() -> dict[tuple[str, int], Row]:
    ranked = sorted(catalogue(), key=lambda row: precedence(row.source), reverse=True)
    return {(row.component, row.code): row for row in ranked}


def meaning(component: str, code: int, *, source: str = "") -> str:
    """The meaning of a code in words, by `source` alone if given; or that it is unknown."""
    row = _by_source().get((component, code, source)) if source else None
    row = row if source else _meanings().get((component, code))
    return row.meaning if row else UNKNOWN


@cache
def _by_source() -> dict[tuple[str, int, str], Row]:
    return {(row.component, row.code, row.source): row for row in catalogue()}
