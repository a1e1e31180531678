"""Forgetting brokerage's decisions that no job shows any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from jobs.models import LIVE_SHELF, AnyJob, BrokerageDecision, Job

BATCH = 1000
DAY = dt.timedelta(days=1)


def forget(*, since: dt.datetime, before: dt.datetime, over: Callable[[], bool]) -> int:
    """Those of that time that neither a live job nor one of the archive shows; returns how many.

    The live jobs are read once, all of them; those of the archive are looked up by the decisions'
    numbers, a few at a time, since the database would read every job there ever was if it were
    asked for all that have none. `over` says when to leave the rest.
    """
    forgotten = 0
    shown = set(Job.objects.order_by().values_list("decision", flat=True).distinct())
    for day in _days(since, before):
        made = BrokerageDecision.objects.filter(at__gte=day, at__lt=min(day + DAY, before))
        keys = list(made.order_by().values_list("pk", flat=True))
        for start in range(0, len(keys), BATCH):
            if over():
                return forgotten
            forgotten += _forget(set(keys[start : start + BATCH]) - shown, made=day)
    return forgotten


def _days(since: dt.datetime, before: dt.datetime) -> Iterator[dt.datetime]:
    """The starts of the days from the first decision on."""
    first = BrokerageDecision.objects.filter(at__gte=since).order_by("at").first()
    day = first.at if first else before
    while day < before:
        yield day
        day += DAY


def _forget(keys: set[int], *, made: dt.datetime) -> int:
    # A job ends behind its decisions: the weeks before that need no look.
    ended = AnyJob.objects.filter(shelf__gte=made, shelf__lt=LIVE_SHELF).order_by()
    shown = ended.filter(decision__in=keys).values_list("decision", flat=True).distinct()
    return BrokerageDecision.objects.filter(pk__in=keys - set(shown)).delete()[0]
