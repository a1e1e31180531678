"""What the wish for a dataset means for its transfers: how urgent, and who makes them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets.ddm import movers
from datasets.models import Subscription, Transfer
from datasets.states import TransferState

_WANTED = Subscription.objects.filter(
    dataset__members__file=OuterRef("file"),
    storage=OuterRef("destination"),
    state=Subscription.State.OPEN,
)


def not_ours() -> Q:
    """Transfers that the engine leaves alone: a DDM elsewhere or a mover job makes them."""
    conditions: list[Any] = movers.channels()
    if any(settings.PANDASITE_DDM.values()):
        conditions.append(Q(Exists(_WANTED.exclude(ddm=""))))
    found = Q(pk__in=[])
    for one in conditions:
        found |= one
    return found


def drop_unwanted(subscription: Subscription, *, error: str, now: dt.datetime) -> int:
    """Queued transfers of a subscription that has ended, and that no open one wants, fail."""
    queued = _queued(subscription).filter(~Exists(_WANTED))
    return queued.update(state=TransferState.FAILED, error=error, ended_at=now, lease_until=None)


def reprioritise(subscription: Subscription, priority: int) -> int:
    """Its queued transfers get the priority."""
    return _queued(subscription).update(priority=priority)


def _queued(subscription: Subscription) -> QuerySet[Transfer]:
    return Transfer.objects.filter(
        file__memberships__dataset=subscription.dataset_id,
        destination=subscription.storage_id,
        state=TransferState.QUEUED,
    )
