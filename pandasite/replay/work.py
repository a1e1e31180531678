"""What a log asks for: which jobs when, by whom, and how many slots each site has. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pandasite.replay.swf import Log, Record

EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # of logs that do not say when they began
NO_SITE = "site"
_PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")


class Job(NamedTuple):
    """A job of the log, as it is to be done: seconds after the start of the replay."""

    number: int
    submit: float
    run: float
    cores: int
    user: str
    group: str


def name_of(number: int) -> str:
    """What the job is called that has this number in the log."""
    return f"swf.{number}"


def number_of(name: str) -> int:
    """The number in the log of the job of that name."""
    return int(name.removeprefix("swf."))


@dataclass(frozen=True, kw_only=True)
class Work:
    """All jobs in the order of their submission, and slots by site."""

    start: dt.datetime
    jobs: Sequence[Job]
    slots: dict[str, int]

    def at(self, seconds: float) -> dt.datetime:
        """A moment of the replay."""
        return self.start + dt.timedelta(seconds=seconds)

    @property
    def core_seconds(self) -> float:
        """All that the jobs ask for."""
        return sum(job.run * job.cores for job in self.jobs)


def work_of(log: Log, *, scale: float = 1.0, slots: int | None = None) -> Work:
    """The work of a log, `scale` times as fast as it was. `slots`: of each site.

    Without it a site has as many as the log has jobs there at once, at most.
    """
    first = log.records[0].submit
    jobs = [
        Job(
            number=record.number,
            submit=(record.submit - first) / scale,
            run=record.run / scale,
            cores=record.cores,
            user=f"swf-user{record.user}",
            group=f"swf-group{record.group}",
        )
        for record in log.records
    ]
    peaks = slots_of(log)
    return Work(
        start=dt.datetime.fromtimestamp(log.start + first, dt.UTC) if log.start else EPOCH,
        jobs=jobs,
        slots=peaks if slots is None else dict.fromkeys(peaks, slots),
    )


def slots_of(log: Log) -> dict[str, int]:
    """By name of the site: the most cores that jobs of the log had there at once.

    Jobs without a wait in the log count from their submission on; the order of the sites is that of
    their numbers.
    """
    at: defaultdict[int, list[Record]] = defaultdict(list)
    for record in log.records:
        at[record.partition].append(record)
    names = dict(_named(log, sorted(at)))
    return {names[site]: _peak(at[site]) for site in sorted(at)}


def _named(log: Log, sites: Sequence[int]) -> Iterator[tuple[int, str]]:
    taken: set[str] = set()
    for site in sites:
        name = _PLAIN.sub("-", log.partitions.get(site, f"{NO_SITE}{site}"))[:56].strip("-")
        name = name or f"{NO_SITE}{site}"
        if name in taken:
            name = f"{name}-{site}"
        taken.add(name)
        yield site, name


def _peak(records: Sequence[Record]) -> int:
    changes = [(r.submit, 1, r.cores) for r in records]
    changes += [(r.submit + max(r.run, 1), 0, -r.cores) for r in records]
    held = most = 0
    for _at, _begins, cores in sorted(changes):  # at the same second who ends goes first
        held += cores
        most = max(most, held)
    return most
