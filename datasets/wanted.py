"""What the wish for a dataset means for its transfers: how urgent, and who makes them.

Nearly all are made by the engine. Some are only kept here as what is under way: those of a
subscription that a DDM elsewhere has (carrier `ddm`), and those of channels that are PandaMover's
(carrier `mover`, jobs that pilots run).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets.ddm import movers
from datasets.models import Subscription, Transfer
from datasets.states import TransferState
from pandasite.base import inorder

_WANTED = Subscription.objects.filter(
    dataset__members__file=OuterRef("file"),
    storage=OuterRef("destination"),
    state=Subscription.State.OPEN,
)


def assign_carriers(destinations: Iterable[int] = ()) -> int:
    """Say of queued transfers (to these storage elements, else to any) who makes them.

    Called where transfers are asked for, in the same transaction, so that the engine does not take
    what is not its own; and by a sweep, since rules and settings change.
    """
    rules = movers.channels()
    ddm = any(settings.PANDASITE_DDM.values())
    queued = Transfer.objects.filter(state=TransferState.QUEUED)
    if destinations:
        queued = queued.filter(destination__in=[*destinations])
    changed = 0
    away, mine = Q(Exists(_WANTED.exclude(ddm=""))), Q(pk__in=[])
    for rule in rules:
        mine |= rule
    if ddm:
        changed += inorder.update(queued.exclude(carrier="ddm").filter(away), carrier="ddm")
    if rules:
        free = queued.filter(carrier="").filter(mine)
        changed += inorder.update(free, carrier="mover")
    if not destinations:  # what a rule or a subscription does not claim any more is the engine's
        changed += inorder.update(queued.filter(carrier="mover").exclude(mine), carrier="")
        changed += inorder.update(queued.filter(carrier="ddm").exclude(away), carrier="")
    return changed


def drop_unwanted(subscription: Subscription, *, error: str, now: dt.datetime) -> int:
    """Queued transfers of a subscription that has ended, and that no open one wants, fail."""
    queued = _queued(subscription).filter(~Exists(_WANTED))
    failed = {"state": TransferState.FAILED, "error": error, "reason": "cancelled"}
    return inorder.update(queued, **failed, ended_at=now, lease_until=None)


def reprioritise(subscription: Subscription, priority: int) -> int:
    """Its queued transfers get the priority."""
    return inorder.update(_queued(subscription), priority=priority)


def _queued(subscription: Subscription) -> QuerySet[Transfer]:
    return Transfer.objects.filter(
        file__memberships__dataset=subscription.dataset_id,
        destination=subscription.storage_id,
        state=TransferState.QUEUED,
    )
