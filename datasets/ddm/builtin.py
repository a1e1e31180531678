"""The built-in data management system behind the interface: our own catalogue and engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction
from django.db.models import Q

from datasets import registry, services, subscriptions
from datasets.ddm.contract import Arrived, DdmRefused, Name, NewFile, Seen, Wish
from datasets.models import Dataset, File, Replica, StorageElement, Subscription, Transfer
from datasets.states import TransferState
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError

ACTOR = "ddm"


class BuiltIn:
    """Keeps contract.DataManagement; a reference is the number of a subscription."""

    def register(
        self,
        dataset: str,
        files: Sequence[NewFile],
        *,
        scope: str,
        replicas: Mapping[Name, Sequence[str]],
    ) -> None:
        """`scope` is that of datasets elsewhere: ours are known by their names alone. `replicas`
        are those of our own catalogue."""
        now = database_now()
        try:
            with transaction.atomic():
                made = services.ensure_datasets([dataset], type=Dataset.Type.INPUT, now=now)
                keys = registry.enter(files, now=now)
                registry.add_members((made[dataset].pk, key) for key in keys.values())
        except DomainError as error:
            raise DdmRefused(error.message) from error

    def subscribe(self, wish: Wish) -> str:
        dataset = Dataset.objects.filter(name=wish.dataset).first()
        storage = StorageElement.objects.filter(name=wish.storage).first()
        if dataset is None or storage is None:
            what = f"dataset {wish.dataset}" if dataset is None else f"storage {wish.storage}"
            raise DdmRefused(f"there is no {what}")
        made = subscriptions.subscribe(
            dataset,
            storage,
            activity=wish.activity,
            now=database_now(),
            terms=subscriptions.Terms(owner=wish.owner, priority=wish.priority),
        )
        return str(made.pk)

    def cancel(self, reference: str, *, reason: str) -> None:
        for found in _open([reference]):
            subscriptions.cancel(found, actor=ACTOR, reason=reason, now=database_now())

    def set_priority(self, reference: str, priority: int) -> None:
        for found in _open([reference]):
            subscriptions.set_priority(
                found, priority, actor=ACTOR, reason="asked for", now=database_now()
            )

    def states(self, references: Collection[str]) -> Mapping[str, Seen]:
        found = Subscription.objects.filter(pk__in=[int(one) for one in references])
        return {str(one.pk): _seen(one) for one in found}

    def replicas(self, names: Collection[Name]) -> Mapping[Name, Sequence[str]]:
        found: dict[Name, list[str]] = defaultdict(list)
        rows = Replica.objects.filter(
            state=Replica.State.AVAILABLE, file__lfn__in={lfn for _scope, lfn in names}
        )
        for scope, lfn, storage in rows.values_list("file__scope", "file__lfn", "storage__name"):
            if (scope, lfn) in names:
                found[scope, lfn].append(storage)
        return found


def _open(references: Collection[str]) -> list[Subscription]:
    """Those of them that are still wished for, with their datasets."""
    numbers = [int(one) for one in references]
    rows = Subscription.objects.filter(pk__in=numbers, state=Subscription.State.OPEN)
    return list(rows.select_related("dataset", "storage"))


def _seen(subscription: Subscription) -> Seen:
    members = File.objects.filter(memberships__dataset=subscription.dataset_id)
    here = Q(replicas__storage=subscription.storage_id, replicas__state=Replica.State.AVAILABLE)
    arrived = [
        Arrived(name=(scope, lfn), size=size, adler32=adler32)
        for scope, lfn, size, adler32 in members.filter(here).values_list(
            "scope", "lfn", "size", "adler32"
        )
    ]
    failed = Transfer.objects.filter(
        file__memberships__dataset=subscription.dataset_id,
        destination=subscription.storage_id,
        state=TransferState.FAILED,
    )
    reasons = failed.order_by("ended_at").values_list("file__scope", "file__lfn", "error")
    given_up = subscription.state == Subscription.State.GIVEN_UP
    there = {one.name for one in arrived}
    return Seen(
        arrived=arrived,
        failed={(s, lfn): error for s, lfn, error in reasons if (s, lfn) not in there},
        over=subscription.reason or "given up" if given_up else "",
    )
