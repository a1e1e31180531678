"""A small grid under full load, minute by minute, without a clock."""

from __future__ import annotations

import datetime as dt
import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

from brokerage.models import Site
from jobs import dispatch, report
from jobs.identity import Caller
from jobs.models import Job, Share
from jobs.shares import act, books
from jobs.shares.tree import Node
from tests.builders import NOW, create_job, create_pilot_account
from tests.jobs.asking import ABLE

MINUTE = dt.timedelta(minutes=1)


@dataclass
class Load:
    """Sites whose slots are always full as long as there is work; `run` says who had how much."""

    sites: list[Site]
    slots: int
    minutes: tuple[int, int] = (3, 8)  # that a job takes
    seed: int = 7
    _serial: int = 0
    _running: list[tuple[dt.datetime, int, int, dict]] = field(default_factory=list)

    def run(self, minutes: int, *, counted_from: int = 0) -> Counter[str]:
        """So many minutes; returns slot minutes by working group from that minute on."""
        dice = random.Random(self.seed)
        callers = [Caller.of(create_pilot_account(site)) for site in self.sites]
        held: Counter[str] = Counter()
        for minute in range(minutes):
            now = NOW + minute * MINUTE
            act.run(now)
            self._end(callers, now)
            for nr, caller in enumerate(callers):
                self._claim(nr, caller, now, dice)
            if minute >= counted_from:
                held.update(job["working_group"] for *_rest, job in self._running)
        return held

    def _end(self, callers: list[Caller], now: dt.datetime) -> None:
        while self._running and self._running[0][0] <= now:
            _end, _id, nr, job = heapq.heappop(self._running)
            said = report.Report(
                panda_id=job["panda_id"], attempt_nr=job["attempt_nr"], seq=1, state="finished",
                lease_token=job["lease_token"],
            )  # fmt: skip
            report.hear(caller=callers[nr], report=said, now=now)

    def _claim(self, nr: int, caller: Caller, now: dt.datetime, dice: random.Random) -> None:
        free = self.slots - sum(1 for *_rest, at, _job in self._running if at == nr)
        if free <= 0:
            return
        self._serial += 1
        claimed = dispatch.claim(
            caller=caller, facts=dispatch.Facts(**ABLE), key=f"key{self._serial}",
            body_sha256="body", n_jobs=free, now=now,
        )  # fmt: skip
        for job in claimed.jobs:
            end = now + dice.randint(*self.minutes) * MINUTE
            heapq.heappush(self._running, (end, job["panda_id"], nr, job))


def queue(site: Site, n: int, **columns: object) -> None:
    """So many activated jobs at a site, in bulk."""
    first = create_job("activated", site=site, **columns)
    values = {f.attname: getattr(first, f.attname) for f in Job._meta.concrete_fields}
    del values["panda_id"]
    Job.objects.bulk_create([Job(**values) for _ in range(n - 1)])


def shares(*children: Node, below: str = "all", **percent: float) -> None:
    """Put shares below one: these, or by the name of a working group."""
    named = [Node(name=name, working_group=name, percent=p) for name, p in percent.items()]
    books.set_children(Share.objects.get(name=below), [*children, *named])


def part(held: Counter[str], name: str) -> float:
    """Percent of all."""
    return 100 * held[name] / held.total()
