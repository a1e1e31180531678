"""Subscriptions: whole datasets that are wished for at a storage element."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef

from datasets.demand import request_transfers
from datasets.models import Dataset, DatasetFile, File, Replica, StorageElement, Subscription


def subscribe(
    dataset: Dataset, storage: StorageElement, *, activity: str, now: dt.datetime
) -> Subscription:
    """Wish all files of the dataset at the storage element; transfers start for missing ones."""
    missing = missing_files(dataset, storage)
    state = Subscription.State.OPEN if missing else Subscription.State.DONE
    now_is = {"state": state, "done_at": None if missing else now}
    subscription, made = Subscription.objects.get_or_create(
        dataset=dataset,
        storage=storage,
        defaults={"activity": activity, "created_at": now} | now_is,
    )
    if not made and subscription.state != state:  # a block that got one more file is open again
        Subscription.objects.filter(pk=subscription.pk).update(**now_is)
        subscription.refresh_from_db()
    request_transfers(missing, storage, now=now)
    return subscription


def missing_files(dataset: Dataset, storage: StorageElement) -> list[File]:
    """Files of the dataset without a good replica at the storage element."""
    there = Replica.objects.filter(
        file=OuterRef("pk"), storage=storage, state=Replica.State.AVAILABLE
    )
    return list(dataset.files.filter(~Exists(there)).order_by("pk"))


def close_subscriptions(file: File, storage: StorageElement, *, now: dt.datetime) -> None:
    """Mark open subscriptions done whose datasets are now whole at the storage element."""
    there = Replica.objects.filter(
        file=OuterRef("file"), storage=storage, state=Replica.State.AVAILABLE
    )
    missing = DatasetFile.objects.filter(dataset=OuterRef("dataset")).filter(~Exists(there))
    Subscription.objects.filter(
        ~Exists(missing),
        dataset__members__file=file,
        storage=storage,
        state=Subscription.State.OPEN,
    ).update(state=Subscription.State.DONE, done_at=now)
