"""Forgetting brokerage's decisions that no job shows any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from jobs.models import AnyJob, BrokerageDecision

BATCH = 1000
DAY = dt.timedelta(days=1)


def forget(*, since: dt.datetime, before: dt.datetime, over: Callable[[], bool]) -> int:
    """Those of that time that neither a live job nor one of the archive shows; returns how many.

    Looked up by their numbers, a few at a time: asked for all that have no job at all, the
    database would read every job there ever was. `over` says when to leave the rest.
    """
    forgotten = 0
    for day in _days(since, before):
        made = BrokerageDecision.objects.filter(at__gte=day, at__lt=min(day + DAY, before))
        keys = list(made.order_by().values_list("pk", flat=True))
        for start in range(0, len(keys), BATCH):
            if over():
                return forgotten
            forgotten += _forget(keys[start : start + BATCH], made=day)
    return forgotten


def _days(since: dt.datetime, before: dt.datetime) -> Iterator[dt.datetime]:
    """The starts of the days from the first decision on."""
    first = BrokerageDecision.objects.filter(at__gte=since).order_by("at").first()
    day = first.at if first else before
    while day < before:
        yield day
        day += DAY


def _forget(keys: list[int], *, made: dt.datetime) -> int:
    # A job ends behind its decisions: the weeks before that need no look.
    jobs = AnyJob.objects.filter(decision__in=keys, shelf__gte=made).order_by()
    unseen = set(keys) - set(jobs.values_list("decision", flat=True).distinct())
    return BrokerageDecision.objects.filter(pk__in=unseen).delete()[0]
