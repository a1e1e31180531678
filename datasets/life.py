"""The end of datasets: aborted ones, those with lost files, and erasing what has served."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from datasets import content, services
from datasets.models import Dataset, Replica, Subscription, Transfer
from datasets.states import DatasetState
from datasets.storage import StorageError
from pandasite.base import audit, inorder
from pandasite.base.errors import Conflict

log = logging.getLogger(__name__)


def set_lifetime(
    dataset: Dataset,
    expires_at: dt.datetime | None,
    *,
    actor: User | str,
    reason: str,
    now: dt.datetime,
) -> None:
    """When it may be erased; None: never by itself. Conflict when it is erased already."""
    with transaction.atomic():
        rows = Dataset.objects.filter(pk=dataset.pk).exclude(state=DatasetState.ERASED)
        if not rows.update(expires_at=expires_at):
            raise Conflict(f"{dataset.name} is erased already")
        until = expires_at.isoformat() if expires_at else None
        audit.record(
            actor=actor,
            action="dataset_lifetime",
            subject=dataset.name,
            reason=reason,
            now=now,
            facts={"expires_at": until},
        )


def aborted() -> QuerySet[Dataset]:
    """Aborted datasets, the latest first."""
    return Dataset.objects.filter(aborted_at__isnull=False).order_by("-pk")


def with_lost_files() -> QuerySet[Dataset]:
    """Datasets with files that have no good replica left, as last counted."""
    return Dataset.objects.filter(n_lost__gt=0).order_by("-pk")


def expire(dataset: Dataset, *, now: dt.datetime) -> None:
    """Its lifetime is over: erased, and nothing of it is moved any more."""
    services.give_up_dataset(dataset, reason="its lifetime is over", now=now)


def erase(keys: Collection[int], *, away: set[int]) -> int:
    """Remove replicas (by key) from their storage and the catalogue; how many went.

    A storage element that fails is added to `away` and left alone; those replicas stay `erasing`,
    which nobody reads from.
    """
    unneeded = Replica.objects.filter(pk__in=keys)
    inorder.update(unneeded, state=Replica.State.ERASING, reason="no dataset needs it any more")
    gone = 0
    rows = Replica.objects.filter(pk__in=keys, state=Replica.State.ERASING)
    for replica in rows.select_related("file", "storage").order_by("pk"):
        if replica.storage_id in away:
            continue
        try:
            gone += _erase(replica)
        except StorageError as error:
            away.add(replica.storage_id)
            log.warning("not_erased", extra={"replica": str(replica), "error": str(error)})
    return gone


def _erase(replica: Replica) -> int:
    """The row is held meanwhile, so that a copy that arrives now is entered after it is gone."""
    with transaction.atomic():
        held = Replica.objects.select_for_update().filter(
            pk=replica.pk, state=Replica.State.ERASING
        )
        coming = Transfer.objects.active().filter(
            file=replica.file_id, destination=replica.storage_id
        )
        if not held or coming.exists():
            return 0
        if not _of_another_system(replica):
            content.remove(replica.storage, content.path(replica.file))
        return Replica.objects.filter(pk=replica.pk).delete()[0]


def _of_another_system(replica: Replica) -> bool:
    """A DDM elsewhere was told of the file: it removes it, once nobody there needs it either."""
    told = Subscription.objects.exclude(ddm="")
    return told.filter(dataset__members__file=replica.file_id).exists()
