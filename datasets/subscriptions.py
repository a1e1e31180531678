"""Subscriptions: whole datasets that are wished for at a storage element."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from datasets.demand import Errand, request_transfers
from datasets.models import Dataset, DatasetFile, File, Replica, StorageElement, Subscription

BATCH = 1000  # subscriptions per round


def subscribe(
    dataset: Dataset, storage: StorageElement, *, activity: str, now: dt.datetime
) -> Subscription:
    """Wish all files of the dataset at the storage element; transfers start for missing ones."""
    missing = missing_files(dataset, storage)
    state = Subscription.State.OPEN if missing else Subscription.State.DONE
    now_is = {"state": state, "done_at": None if missing else now, "reason": ""}
    subscription, made = Subscription.objects.get_or_create(
        dataset=dataset,
        storage=storage,
        defaults={"activity": activity, "created_at": now} | now_is,
    )
    if not made and subscription.state != state:  # a block that got one more file is open again
        Subscription.objects.filter(pk=subscription.pk).update(**now_is)
        subscription.refresh_from_db()
    request_transfers(missing, storage, now=now, errand=Errand(activity=activity))
    return subscription


def extend(
    dataset: Dataset,
    storage: StorageElement,
    files: Collection[int],
    *,
    activity: str,
    now: dt.datetime,
) -> None:
    """The dataset, which is or is to be wished at the storage element, got these files (by key).

    Only they are asked for: a block that grows for hours is not gone through with each file.
    """
    missing = list(_without_replica(File.objects.filter(pk__in=files), storage))
    if not missing:
        subscribe(dataset, storage, activity=activity, now=now)
        return
    opened = {"state": Subscription.State.OPEN, "done_at": None, "reason": ""}
    subscription, made = Subscription.objects.get_or_create(
        dataset=dataset,
        storage=storage,
        defaults={"activity": activity, "created_at": now} | opened,
    )
    if not made and subscription.state != Subscription.State.OPEN:
        Subscription.objects.filter(pk=subscription.pk).update(**opened)
    request_transfers(missing, storage, now=now, errand=Errand(activity=activity))


def missing_files(dataset: Dataset, storage: StorageElement) -> list[File]:
    """Files of the dataset without a good replica at the storage element."""
    return list(_without_replica(dataset.files.all(), storage))


def _without_replica(files: QuerySet[File], storage: StorageElement) -> QuerySet[File]:
    there = Replica.objects.filter(
        file=OuterRef("pk"), storage=storage, state=Replica.State.AVAILABLE
    )
    return files.filter(~Exists(there)).order_by("pk")


def close_subscriptions(file: File, storage: StorageElement, *, now: dt.datetime) -> None:
    """Mark open subscriptions done whose datasets are now whole at the storage element."""
    _close_whole(Subscription.objects.filter(dataset__members__file=file, storage=storage), now)


def settle_subscriptions(*, now: dt.datetime) -> int:
    """Mark all open subscriptions done whose files are all there, however they came."""
    return _close_whole(Subscription.objects.filter(_WHOLE), now)


_THERE = Replica.objects.filter(
    file=OuterRef("file"),
    storage=OuterRef(OuterRef("storage")),
    state=Replica.State.AVAILABLE,
)
_MISSING = DatasetFile.objects.filter(dataset=OuterRef("dataset")).filter(~Exists(_THERE))
_WHOLE = ~Exists(_MISSING)


def _close_whole(subscriptions: QuerySet[Subscription], now: dt.datetime) -> int:
    """The rows are locked first, in the order of their keys, and looked at in a second statement:
    of two workers that bring the last two files at once, the later one sees both."""
    with transaction.atomic():
        locked = list(
            subscriptions.filter(state=Subscription.State.OPEN)
            .order_by("pk")
            .select_for_update(of=("self",))
            .values_list("pk", flat=True)[:BATCH]
        )
        return Subscription.objects.filter(
            _WHOLE, pk__in=locked, state=Subscription.State.OPEN
        ).update(state=Subscription.State.DONE, done_at=now)
