"""Forgetting log lines: those that are too old, and the oldest where there are too many."""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.conf import settings
from django.db.models import QuerySet

from monitor.models import LogEvent
from pandasite.base.rounds import Round

BATCH = 5000


def run(now: dt.datetime) -> int:
    """One round; returns the number of lines forgotten."""
    old = now - dt.timedelta(days=settings.PANDASITE["EVENT_DAYS"])
    work = Round()
    work.do("old lines", partial(_forget, work, LogEvent.objects.filter(at__lt=old)))
    newest = LogEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    many = LogEvent.objects.filter(pk__lte=newest - settings.PANDASITE["EVENT_ROWS"])
    work.do("too many lines", partial(_forget, work, many))
    return work.end()


def _forget(work: Round, lines: QuerySet[LogEvent]) -> int:
    gone = 0
    while not work.over:
        batch = list(lines.order_by("pk").values_list("pk", flat=True)[:BATCH])
        LogEvent.objects.filter(pk__in=batch).delete()
        gone += len(batch)
        if len(batch) < BATCH:
            break
    return gone
