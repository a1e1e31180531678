"""The small duties of each round: who carries which transfer, who is to be told, what is old."""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.conf import settings
from django.db.models import Model, QuerySet

from datasets.ddm import outbox
from datasets.models import CallbackNews, ReceivedNews
from datasets.wanted import assign_carriers
from pandasite.base.rounds import Round

BATCH = 10_000


def run(now: dt.datetime) -> int:
    """One round; how many rows it changed."""
    work = Round()
    work.do("carriers", assign_carriers)
    work.do("news for others", partial(outbox.make_news, now=now))
    received_before = now - dt.timedelta(days=settings.PANDASITE["DDM_NEWS_DAYS"])
    delivered_before = now - dt.timedelta(days=outbox.KEPT_DAYS)
    work.do(
        "old news", partial(_forget, ReceivedNews.objects.filter(received_at__lt=received_before))
    )
    delivered = CallbackNews.objects.filter(delivered_at__lt=delivered_before)
    work.do("told news", partial(_forget, delivered))
    return work.end()


def _forget(rows: QuerySet[Model]) -> int:
    """Some of them; the next round has the others."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
    return rows.model._base_manager.filter(pk__in=keys).delete()[0]
