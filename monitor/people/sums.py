"""Sums of what was used, from the summary that a sweep keeps (jobs/usage.py).

A span of 24 hours begins with a full hour; the longer ones with a day (UTC), since older hours are
merged into days.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Max, Sum
from django.db.models.functions import TruncDay
from django.urls import reverse

from brokerage.models import Site
from jobs.models import LiveTally, Usage, UsageQuota
from monitor.rows import jobs_url
from monitor.words import window_start
from pandasite.base.clock import midnight
from pandasite.base.errors import Unprocessable

SPANS = (1, 7, 30)  # days
MOST = 20_000  # rows of one page
_AT_WORK = ("sent", "starting", "running", "holding", "transferring")
NEAR = 80  # percent of a quota that deserve a mark


def since(now: dt.datetime, days: int) -> dt.datetime:
    """The start of the last so many days."""
    if days == 1:
        return window_start(now, 24)
    return midnight(now - dt.timedelta(days=days))


@dataclass(kw_only=True)
class Used:
    """What a user or a working group used, and the jobs that are under way (as tallied)."""

    name: str
    kind: str = "user"
    finished: int = 0  # within a day, and so on
    failed: int = 0
    cancelled: int = 0
    cpu: Mapping[int, int] = field(default_factory=dict)  # s, by days
    wall_30: int = 0
    sites: int = 0
    live: Counter[str] = field(default_factory=Counter)
    latest: dt.datetime | None = None
    quota: UsageQuota | None = None

    cpu_1 = property(lambda self: self.cpu.get(1, 0))
    cpu_7 = property(lambda self: self.cpu.get(7, 0))
    cpu_30 = property(lambda self: self.cpu.get(30, 0))
    running = property(lambda self: sum(self.live[state] for state in _AT_WORK))
    waiting = property(lambda self: self.live.total() - self.running)

    note = property(lambda self: self.quota.note if self.quota else "")

    @property
    def url(self) -> str:
        """The page of a user; the tasks of a group."""
        if self.kind == "user":
            return reverse("monitor:user", args=[self.name])
        return f"{reverse('monitor:tasks')}?{urlencode({'group': self.name})}" if self.name else ""

    @property
    def failed_pct(self) -> float | None:
        """failed / (finished + failed) within a day."""
        ended = self.finished + self.failed
        return 100 * self.failed / ended if ended else None

    @property
    def quota_s(self) -> float | None:
        """The quota in seconds; None without one."""
        return 3600 * self.quota.cpu_hours if self.quota else None

    @property
    def quota_pct(self) -> float | None:
        """How much of it is used, percent; None without one, or where it is nothing at all."""
        return 100 * self.cpu_30 / self.quota_s if self.quota_s else None

    @property
    def verdict(self) -> str:
        """`over`, `near` or `within` the quota; '' without one."""
        if self.quota_s is None:
            return ""
        if self.cpu_30 > self.quota_s:
            return "over"
        return "near" if (self.quota_pct or 0) >= NEAR else "within"

    @property
    def quota_parts(self) -> list[tuple[str, int]]:
        """Of its bar: what is used, beyond the quota too, and what is left."""
        quota = int(self.quota_s or 0)
        within = min(self.cpu_30, quota)
        return [
            ("running", within),
            ("over", max(0, self.cpu_30 - quota)),
            ("room", quota - within),
        ]


def has_used(name: str) -> bool:
    """Whether jobs of that user have ended."""
    return Usage.objects.filter(user=name).exists()


def used(kind: str, *, now: dt.datetime) -> list[Used]:
    """By user (`user`) or working group (`group`) of 30 days, who used most first."""
    column = {"user": "user", "group": "working_group"}[kind]
    found = {one.name: one for one in _sums(kind, now)}
    for row in _live(column):
        name = row[column]
        one = found.setdefault(name, Used(name=name, kind=kind))
        one.live[row["state"]] += row["jobs"]
        if one.latest is None or row["last"] > one.latest:
            one.latest = row["last"]
    for quota in UsageQuota.objects.filter(kind=kind):
        found.setdefault(quota.name, Used(name=quota.name, kind=kind)).quota = quota
    return sorted(found.values(), key=lambda one: (-one.cpu_30, one.name))


# By site first: what is counted apart (sites) has then no need of a sort of all rows.
_SUMS = """
SELECT name, sum(cpu_1), sum(cpu_7), sum(cpu_30), sum(finished), sum(failed), sum(cancelled),
  sum(wall), count(*), max(latest)
FROM (
  SELECT {column} AS name, site_id, sum(cpu_s) FILTER (WHERE since >= %(day)s) AS cpu_1,
    sum(cpu_s) FILTER (WHERE since >= %(week)s) AS cpu_7, sum(cpu_s) AS cpu_30,
    sum(finished) FILTER (WHERE since >= %(day)s) AS finished,
    sum(failed) FILTER (WHERE since >= %(day)s) AS failed,
    sum(cancelled) FILTER (WHERE since >= %(day)s) AS cancelled, sum(wall_s) AS wall,
    max(latest) AS latest
  FROM jobs_usage WHERE since >= %(month)s GROUP BY 1, 2
) by_site GROUP BY name
"""


def _sums(kind: str, now: dt.datetime) -> Iterator[Used]:
    day, week, month = (since(now, days) for days in SPANS)
    sql = _SUMS.format(column={"user": '"user"', "group": "working_group"}[kind])
    with connection.cursor() as cursor:
        cursor.execute(sql, {"day": day, "week": week, "month": month})
        rows = cursor.fetchall()
    for name, *sums, sites, latest in rows:
        cpu_1, cpu_7, cpu_30, finished, failed, cancelled, wall = (int(n or 0) for n in sums)
        yield Used(
            name=name,
            kind=kind,
            finished=finished,
            failed=failed,
            cancelled=cancelled,
            cpu=dict(zip(SPANS, (cpu_1, cpu_7, cpu_30), strict=True)),
            wall_30=wall,
            sites=sites,
            latest=latest,
        )


def _live(column: str) -> Iterable[Any]:
    rows = LiveTally.objects.order_by().values(column, "state")
    return rows.annotate(jobs=Sum("n"), last=Max("latest"))


@dataclass(kw_only=True)
class Ended:
    """Jobs that ended, with their times in s, under one value on one day (or over all days)."""

    by: str
    day: dt.date | None
    value: str
    finished: int
    failed: int
    cancelled: int
    wall_s: int
    cpu_s: int

    jobs = property(lambda self: self.finished + self.failed + self.cancelled)

    @property
    def url(self) -> str:
        """Where the name leads."""
        page = {"user": "monitor:user", "site": "monitor:site"}.get(self.by)
        return reverse(page, args=[self.value]) if page and self.value else ""

    @property
    def jobs_url(self) -> str:
        """The jobs, where the job list knows the filter."""
        if self.by == "group" or not self.value or self.day is None:
            return ""
        next_day = self.day + dt.timedelta(days=1)
        return jobs_url(**{self.by: self.value, "ended": f"{self.day}..{next_day}"})

    @property
    def efficiency(self) -> float | None:
        """CPU time per wall time, percent: more than 100 where jobs use several cores."""
        return 100 * self.cpu_s / self.wall_s if self.wall_s else None

    @property
    def failed_pct(self) -> float | None:
        """failed / (finished + failed)."""
        ended = self.finished + self.failed
        return 100 * self.failed / ended if ended else None


# By which column of Usage a word groups.
BY = {"user": "user", "site": "site_id", "label": "label", "group": "working_group"}


def daily(
    by: str, *, filters: Mapping[str, Any], start: dt.datetime, by_day: bool = True
) -> Sequence[Ended]:
    """What ended since `start` by day and the word `by`, the latest day first.

    Raises Unprocessable where that is more than a page can have.
    """
    column = BY[by]
    rows: Any = Usage.objects.filter(since__gte=start, **filters).order_by()
    if by_day:
        rows = rows.annotate(day=TruncDay("since", tzinfo=dt.UTC)).values("day", column)
    else:
        rows = rows.values(column)
    names = ("finished", "failed", "cancelled", "wall_s", "cpu_s")
    sums = {f"n_{name}": Sum(name) for name in names}
    found = list(rows.annotate(**sums)[: MOST + 1])
    if len(found) > MOST:
        words = f"more than {MOST:,} rows: narrow your search, by window, user, site or label"
        raise Unprocessable(words, code="too_many")
    sites = dict(Site.objects.values_list("pk", "name")) if by == "site" else {}
    made = [
        Ended(
            by=by,
            day=row["day"].date() if by_day else None,
            value=sites.get(row[column], "") if by == "site" else row[column],
            **{name: int(row[f"n_{name}"]) for name in names},
        )
        for row in found
    ]
    return sorted(made, key=lambda one: (-(one.day or dt.date.min).toordinal(), -one.cpu_s))


def live_of(user: str) -> tuple[Counter[str], dict[int, Counter[str]]]:
    """Jobs of a user that have not ended, by state, and by site and state, as tallied."""
    states: Counter[str] = Counter()
    sites: dict[int, Counter[str]] = defaultdict(Counter)
    for row in LiveTally.objects.filter(user=user):
        states[row.state] += row.n
        sites[row.site_id][row.state] += row.n
    return states, sites
