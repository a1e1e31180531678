"""How claims of pilots were answered: by outcome over a window, and by the hour for a plot."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs import counts
from monitor.words import window_start
from pandasite.base.clock import full_hour

JOB = "job"  # counts the jobs handed out
OUTCOMES: Mapping[str, str] = {
    JOB: "jobs handed out",
    "no_job": "nothing is activated at the site that fits the pilot",
    "site_offline": "the site is offline",
    "site_downtime": "the site is in a downtime in which nothing works",
    "site_full": "the site has as many jobs with pilots as it may have",
    "node_banned": "the node is banned",
}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers of one site or of all: jobs handed out, and refusals by outcome."""

    by_outcome: Mapping[str, int]

    jobs = property(lambda self: self.by_outcome.get(JOB, 0))
    total = property(lambda self: sum(self.by_outcome.values()))

    @property
    def refused(self) -> int:
        """Answers without a job."""
        return int(self.total - self.jobs)

    @property
    def no_job_pct(self) -> float | None:
        """Refusals of all answers, of which each job handed out is one; None: nobody asked."""
        return 100 * self.refused / self.total if self.total else None


def by_site(*, now: dt.datetime, hours: int) -> dict[int, Answers]:
    """Since the full hour so many hours ago, by site."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for (site, outcome), n in counts.answers(since=window_start(now, hours)).items():
        found[site][outcome] = n
    return {site: Answers(by_outcome=outcomes) for site, outcomes in found.items()}


def series(*, now: dt.datetime, hours: int, site: int | None) -> dict[str, Any]:
    """The answers of each hour in the shape of a plot (docs/monitor.md)."""
    since = window_start(now, hours)
    found: Counter[tuple[dt.datetime, str]] = Counter()
    for hour, _site, outcome, n in counts.answers_by_hour(since=since, site=site):
        found[hour, outcome] += n
    span = int((full_hour(now) - since).total_seconds()) // 3600 + 1
    times = [since + dt.timedelta(hours=nr) for nr in range(span)]
    there = [word for word in OUTCOMES if any(outcome == word for _hour, outcome in found)]
    there += sorted({outcome for _hour, outcome in found} - OUTCOMES.keys())
    return {
        "unit": "answers per hour",
        "x": [int(time.timestamp()) for time in times],
        "series": [
            {"name": word, "values": [found[time, word] for time in times]}
            for word in there or [JOB]
        ],
    }
