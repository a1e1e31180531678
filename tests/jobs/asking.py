"""A pilot that asks and speaks, for the tests of dispatch, report and whole histories."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from jobs import dispatch, report
from jobs.identity import Caller
from jobs.models import AnyJob, Job, PilotAccount
from tests.builders import LEASE_TOKEN, NOW

_serial = itertools.count(1)
T = TypeVar("T")

# A pilot that can do everything: what a test is about is taken away from it.
ABLE: dict[str, Any] = {
    "node": "wn01",
    "pilot_id": "pilot1",
    "cpu_speed_mhz": 2400,
    "memory_mb": 4000,
    "free_disk_mb": 20000,
    "core_count": 8,
    "releases": (("Atlas-14.5.0", "x86_64-slc5"),),
    "labels": ("managed", "user"),
}


@dataclass(frozen=True, kw_only=True)
class Asked(dispatch.Claimed):
    """What a claim gave, with the first job as the database has it."""

    job: Job | None
    lease_token: str


def claim(
    account: PilotAccount,
    *,
    key: str = "",
    body: str = "body",
    n_jobs: int = 1,
    now: dt.datetime = NOW,
    **facts: Any,
) -> Asked:
    """Ask for jobs as a pilot that can do everything, but for what `facts` say."""
    claimed = dispatch.claim(
        caller=Caller.of(account),
        facts=dispatch.Facts(**ABLE | facts),
        key=key or f"key{next(_serial)}",
        body_sha256=body,
        n_jobs=n_jobs,
        now=now,
    )
    first = claimed.jobs[0] if claimed.jobs else None
    return Asked(
        **vars(claimed),
        job=Job.objects.get(pk=first["panda_id"]) if first else None,
        lease_token=first["lease_token"] if first else "",
    )


def say(
    account: PilotAccount, panda_id: int, state: str, *, now: dt.datetime = NOW, **more: Any
) -> report.Answer:
    """Speak of a job made by `create_job`: attempt 1, word 1, unless told otherwise."""
    given = {"attempt_nr": 1, "lease_token": LEASE_TOKEN, "seq": 1} | more
    said = report.Report(panda_id=panda_id, state=state, **given)
    return report.hear(caller=Caller.of(account), report=said, now=now)


def word(job: Job, state: str = "running", **more: Any) -> report.Report:
    """What a pilot says of a job made by `create_job`: attempt 1, word 7, unless told otherwise."""
    given = {"attempt_nr": 1, "lease_token": LEASE_TOKEN, "seq": 7} | more
    return report.Report(panda_id=job.pk, state=state, **given)


def made(*lfns: str, **more: Any) -> list[report.ReportedFile]:
    """Files as a pilot reports them."""
    facts = {"guid": "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00", "size": 10, "adler32": "0c2a04f1"}
    return [report.ReportedFile(lfn=lfn, **facts | more) for lfn in lfns]


@contextmanager
def unchanged(panda_id: int) -> Iterator[None]:
    """Whatever is said within, no column of the job changes."""
    before = AnyJob.objects.filter(pk=panda_id).values().get()
    yield
    assert AnyJob.objects.filter(pk=panda_id).values().get() == before


class Dice:
    """A number that makes one choice after the other."""

    def __init__(self, number: int) -> None:
        self.number = number

    def of(self, items: Sequence[T]) -> T:
        self.number, index = divmod(self.number, len(items))
        return items[index]
