"""Quotas of CPU hours in a day: who used how much of what he may, and who has to wait for it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F, Q

from jobs import services
from jobs.models import Job, QuotaHold, UsageQuota
from jobs.shares.formula import overuse
from jobs.states import JobState

DAY = dt.timedelta(hours=24)
RETURNED = 2000  # jobs of those who have to wait that a round takes from the queues of sites
log = logging.getLogger(__name__)

# By the hours in which the day lies, as far as they are apart (jobs/usage.py keeps 48 of them).
_USED = """
SELECT 'user' AS kind, u."user" AS name, sum(u.cpu_s) FROM jobs_usage u
WHERE u.since > %(since)s AND u."user" = ANY(%(user)s) GROUP BY 2
UNION ALL
SELECT 'group', u.working_group, sum(u.cpu_s) FROM jobs_usage u
WHERE u.since > %(since)s AND u.working_group = ANY(%(group)s) GROUP BY 2
"""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a user or a working group used in 24 hours of what the quota allows."""

    kind: str
    name: str
    used_hours: float
    limit_hours: float | None  # None: any number
    hard: bool
    offset: int

    @property
    def overused(self) -> float:
        """How many times the quota; 0 below it."""
        return overuse(self.used_hours, self.limit_hours)

    @property
    def waits(self) -> bool:
        """Whether its jobs have to wait."""
        limit = self.limit_hours
        return self.hard and limit is not None and self.used_hours >= limit

    @property
    def words(self) -> str:
        """Who used how much of what."""
        who = f"user {self.name}" if self.kind == "user" else f"working group {self.name}"
        return f"{who} has used {self.used_hours:,.1f} of {self.limit_hours:,.1f} CPU hours in 24 h"


Standings = dict[tuple[str, str], Standing]


def standings(now: dt.datetime, *, names: Iterable[tuple[str, str]] | None = None) -> Standings:
    """By (kind, name) those who have a quota; of `names` where they are given."""
    quotas = UsageQuota.objects.filter(Q(cpu_hours_day__isnull=False) | ~Q(priority_offset=0))
    wanted = None if names is None else set(names)
    found = [q for q in quotas if wanted is None or (q.kind, q.name) in wanted]
    used = _used(found, now) if found else {}
    return {
        (q.kind, q.name): Standing(
            kind=q.kind,
            name=q.name,
            used_hours=used.get((q.kind, q.name), 0.0),
            limit_hours=q.cpu_hours_day,
            hard=q.hard,
            offset=q.priority_offset,
        )
        for q in found
    }


def _used(quotas: Iterable[UsageQuota], now: dt.datetime) -> dict[tuple[str, str], float]:
    names: dict[str, list[str]] = {"user": [], "group": []}
    for quota in quotas:
        names[quota.kind].append(quota.name)
    with connection.cursor() as cursor:
        cursor.execute(_USED, {"since": now - DAY, **names})
        return {(kind, name): float(s) / 3600 for kind, name, s in cursor.fetchall()}


def hold(found: Standings, *, now: dt.datetime) -> int:
    """Write down who has to wait, and give their jobs back that wait at sites; how many."""
    over = {key: one for key, one in found.items() if one.waits}
    with transaction.atomic():
        for row in QuotaHold.objects.select_for_update():
            if (row.kind, row.name) not in over:
                row.delete()
                log.info("quota_free", extra={"who": row.name})
        QuotaHold.objects.bulk_create(
            [
                QuotaHold(
                    kind=one.kind,
                    name=one.name,
                    used_hours=one.used_hours,
                    limit_hours=one.limit_hours or 0.0,
                    since=now,
                )
                for one in over.values()
            ],
            update_conflicts=True,
            unique_fields=["kind", "name"],
            update_fields=["used_hours", "limit_hours"],
        )
    return sum(_give_back(one, now) for one in over.values())


def _give_back(one: Standing, now: dt.datetime) -> int:
    """No pilot takes them, and brokerage leaves them until there is quota again."""
    column = "prod_user_id" if one.kind == "user" else "working_group"
    waiting = Job.objects.filter(**{column: one.name}, state=JobState.ACTIVATED)
    some = list(waiting.order_by("pk").values_list("pk", flat=True)[:RETURNED])
    moved = services.rebroker(
        Job.objects.filter(pk__in=some),
        actor="quota",
        now=now,
        reason={"quota": one.words},
        rebroker_count=F("rebroker_count"),  # not for want of a site
    )
    return len(moved)


def held() -> tuple[list[str], list[str]]:
    """Users and working groups whose jobs brokerage leaves alone."""
    users: list[str] = []
    groups: list[str] = []
    for kind, name in QuotaHold.objects.values_list("kind", "name"):
        (users if kind == UsageQuota.Kind.USER else groups).append(name)
    return users, groups
