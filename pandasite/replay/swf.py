"""The Standard Workload Format, version 2: one line of 18 numbers for a job, `;` before comments.

Definition: the Parallel Workloads Archive. -1 stands for what is not known. Pure.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

FIELDS = 18
MOST = 5_000_000  # jobs of a log
LONGEST = 100 * 365 * 86_400  # seconds: no job waits or runs for longer
TOLD = 10  # bad lines that a refusal names
CANCELLED = 5  # status of a job that was taken back
# Their places in a line.
NUMBER, SUBMIT, RUN, CORES, ASKED_CORES, ASKED_TIME, STATUS = 0, 1, 3, 4, 7, 8, 10
USER, GROUP, PARTITION = 11, 12, 15


class BadLog(ValueError):
    """The text is no log of this format: the first lines that are not, with their numbers."""


class Record(NamedTuple):
    """A job: seconds after the start of the log, and how long it ran on how many cores.

    `user`, `group` and `partition` are numbers, 0 = not known.
    """

    number: int
    submit: int
    run: int
    cores: int
    asked_time: int
    user: int
    group: int
    partition: int


@dataclass(frozen=True, kw_only=True)
class Log:
    """Jobs in the order of their submission; `header` has the comments `Name: value`."""

    records: tuple[Record, ...]
    header: dict[str, str] = field(default_factory=dict)
    partitions: dict[int, str] = field(default_factory=dict)
    skipped: int = 0  # jobs that never ran

    @property
    def start(self) -> int | None:
        """The Unix time of its first second, if the header has it."""
        text = self.header.get("UnixStartTime", "")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def acknowledged(self) -> str:
        """Whom the header asks to thank."""
        return self.header.get("Acknowledge", "")


def read(path: Path) -> Log:
    """The log in a file, which may be compressed by gzip. Raises BadLog or OSError."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
                return parse(lines)
        with path.open(encoding="utf-8", errors="replace") as lines:
            return parse(lines)
    except (gzip.BadGzipFile, EOFError) as error:
        raise BadLog(f"{path.name} is no whole gzip file: {error}") from None


def parse(lines: Iterable[str]) -> Log:
    """The log that these lines are. BadLog names the lines that are none, and why."""
    header: dict[str, str] = {}
    partitions: dict[int, str] = {}
    records: list[Record] = []
    seen: dict[int, int] = {}
    bad: list[str] = []
    skipped = 0
    for nr, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith(";"):
            _comment(text, header, partitions)
            continue
        if not text:
            continue
        try:
            record = _record(text)
            if record is not None and seen.setdefault(record.number, nr) != nr:
                raise BadLog(f"job {record.number} was in line {seen[record.number]} already")
        except BadLog as error:
            bad.append(f"line {nr}: {error}")
            if len(bad) > TOLD:
                break
            continue
        if record is None:
            skipped += 1
        else:
            records.append(record)
        if len(records) > MOST:
            raise BadLog(f"more than {MOST:,} jobs")
    _refuse(bad, records)
    records.sort(key=lambda record: (record.submit, record.number))
    return Log(records=tuple(records), header=header, partitions=partitions, skipped=skipped)


def _refuse(bad: list[str], records: list[Record]) -> None:
    if bad:
        more = "; ..." if len(bad) > TOLD else ""
        raise BadLog(f"not the Standard Workload Format: {'; '.join(bad[:TOLD])}{more}")
    if not records:
        raise BadLog("there is no job in it that ran")


def _comment(text: str, header: dict[str, str], partitions: dict[int, str]) -> None:
    name, colon, value = text.lstrip("; ").partition(":")
    if not colon:
        return
    name, value = name.strip(), value.strip()
    if name == "Partition" and (found := re.fullmatch(r"(\d+)\s+(\S.*)", value)):
        partitions[int(found[1])] = found[2].strip()
    else:
        header.setdefault(name, value)


def _record(text: str) -> Record | None:
    """The job of a line; None when it never ran."""
    words = text.split()
    if len(words) != FIELDS:
        raise BadLog(f"{len(words)} fields, not {FIELDS}")
    values = list(_numbers(words))
    if values[NUMBER] < 1:
        raise BadLog(f"job number {values[NUMBER]}, which is below 1")
    for name, place, low in (("submit time", SUBMIT, 0), ("run time", RUN, -1)):
        if not low <= values[place] <= LONGEST:
            raise BadLog(f"{name} {values[place]}, not from {low} to {LONGEST}")
    if values[RUN] < 0 or (values[STATUS] == CANCELLED and values[RUN] == 0):
        return None
    cores = values[CORES] if values[CORES] > 0 else values[ASKED_CORES]
    return Record(
        number=values[NUMBER],
        submit=values[SUBMIT],
        run=values[RUN],
        cores=max(cores, 1),
        asked_time=max(values[ASKED_TIME], 0),
        user=max(values[USER], 0),
        group=max(values[GROUP], 0),
        partition=max(values[PARTITION], 0),
    )


def _numbers(words: Iterable[str]) -> Iterator[int]:
    for place, word in enumerate(words, 1):
        try:
            number = float(word)
            yield int(number)
        except (ValueError, OverflowError):
            raise BadLog(f"field {place} is '{word[:20]}', which is no number") from None


def first(log: Log, jobs: int) -> Log:
    """The same log with its first jobs only."""
    kept = tuple(islice(log.records, jobs))
    return Log(records=kept, header=log.header, partitions=log.partitions, skipped=log.skipped)
