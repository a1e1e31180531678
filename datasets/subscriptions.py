"""Subscriptions: whole datasets that are wished for at a storage element."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets import wanted
from datasets.browsing import BLOCKS
from datasets.ddm import choice
from datasets.models import (
    CallbackTarget,
    Dataset,
    DatasetFile,
    File,
    Replica,
    StorageElement,
    Subscription,
)
from datasets.states import DatasetState
from datasets.wishing import reopened, wish
from pandasite.base import audit, inorder
from pandasite.base.errors import IllegalMove
from pandasite.base.nudge import nudge

BATCH = 1000  # subscriptions per round
GROWING = (DatasetState.OPEN, DatasetState.TOBECLOSED)  # datasets that may get more files
PRIORITIES = (-1_000_000, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Who wants it and how much, which VO's data it is, and who is told of its end."""

    owner: str = ""
    vo: str = ""
    priority: int = 0
    callback: CallbackTarget | None = None

    def columns(self) -> dict[str, Any]:
        """For a new row."""
        return vars(self) | {"ddm": choice.of_vo(self.vo)}


PLAIN = Terms()


def refusal(dataset: Dataset) -> str:
    """Why nobody may ask for the dataset anywhere; '' when somebody may."""
    if dataset.type == Dataset.Type.CONTAINER:
        return f"{dataset.name} is a container: subscribe the datasets in it"
    if dataset.state == DatasetState.ERASED:
        return f"{dataset.name} is erased"
    if dataset.aborted_at:
        return f"{dataset.name} was aborted: {dataset.aborted_reason}"
    return ""


def subscribe(
    dataset: Dataset,
    storage: StorageElement,
    *,
    activity: str,
    now: dt.datetime,
    terms: Terms = PLAIN,
) -> Subscription:
    """Wish all files of the dataset at the storage element; transfers start for missing ones.

    `terms` are those of a new subscription: one that is there keeps its own.
    """
    [made] = subscribe_all([dataset], storage, activity=activity, now=now, terms=terms)
    return made


def subscribe_all(
    datasets: Sequence[Dataset],
    storage: StorageElement,
    *,
    activity: str,
    now: dt.datetime,
    terms: Terms = PLAIN,
) -> list[Subscription]:
    """The same for many datasets at once, in their order: as many statements as for one."""
    return wish(
        datasets,
        storage,
        _missing(datasets, storage),
        columns={"activity": activity, **terms.columns()},
        now=now,
    )


def extend(
    dataset: Dataset,
    storage: StorageElement,
    files: Collection[int],
    *,
    activity: str,
    now: dt.datetime,
    terms: Terms = PLAIN,
) -> None:
    """The dataset, which is or is to be wished at the storage element, got these files (by key).

    Only they are asked for: a block that grows for hours is not gone through with each file.
    """
    missing = list(_without_replica(File.objects.filter(pk__in=files), storage))
    if missing:
        columns = {"activity": activity, **terms.columns()}
        wish([dataset], storage, {dataset.pk: missing}, columns=columns, now=now)
    else:
        subscribe(dataset, storage, activity=activity, now=now, terms=terms)


def reopen(keys: Collection[int]) -> int:
    """Done subscriptions (by key) lack something again; keeping.py asks for it."""
    done = Subscription.objects.filter(pk__in=keys, state=Subscription.State.DONE)
    return inorder.update(done, **reopened())


def reopen_for(files: Collection[int], storage: StorageElement) -> int:
    """The copies of these files (by key) there are bad: who had them there lacks them again.

    Blocks have served when they are done; and a DDM elsewhere minds its own copies.
    """
    of_them = DatasetFile.objects.filter(file__in=files).exclude(dataset__type__in=BLOCKS)
    wishes = Subscription.objects.filter(dataset__in=of_them.values("dataset"), storage=storage)
    done = wishes.filter(state=Subscription.State.DONE, ddm="").values_list("pk", flat=True)
    return reopen(list(done))


def cancel(subscription: Subscription, *, actor: User | str, reason: str, now: dt.datetime) -> None:
    """Wish for it no longer: transfers that wait for nobody else end with the reason.

    IllegalMove when it is not open any more, unless the dataset may still grow. A job that waits
    for one of the files asks again.
    """
    why = f"cancelled by {_name(actor)}: {reason}"[:255]
    grows = Q(state=Subscription.State.DONE, dataset__state__in=GROWING)
    with transaction.atomic():
        mine = Subscription.objects.filter(
            Q(state=Subscription.State.OPEN) | grows, pk=subscription.pk
        )
        moved = mine.update(state=Subscription.State.GIVEN_UP, done_at=now, reason=why)
        _must_be_open(subscription, moved)
        wanted.drop_unwanted(subscription, error=why, now=now)
        _audit("subscription_cancel", subscription, actor, reason, now)


def set_priority(
    subscription: Subscription,
    priority: int,
    *,
    actor: User | str,
    reason: str,
    now: dt.datetime,
) -> None:
    """More or less urgent from now on, for its queued transfers as well; IllegalMove as above."""
    with transaction.atomic():
        # A DDM elsewhere is told when it is asked the next time: sync.py.
        changed = _open(subscription).update(priority=priority, asked_at=None)
        _must_be_open(subscription, changed)
        wanted.reprioritise(subscription, priority)
        facts = {"from": subscription.priority, "to": priority}
        _audit("subscription_priority", subscription, actor, reason, now, facts)


def end_wishes(datasets: Collection[int], *, reason: str, now: dt.datetime) -> None:
    """The open subscriptions of datasets (by key) end, and with them what was moved for them only.

    In the caller's transaction.
    """
    open_ = Subscription.objects.filter(dataset__in=datasets, state=Subscription.State.OPEN)
    mine = Subscription.objects.filter(pk__in=inorder.hold(open_))
    mine.update(state=Subscription.State.GIVEN_UP, done_at=now, reason=reason[:255])
    for one in mine.order_by("pk"):
        wanted.drop_unwanted(one, error=reason, now=now)


def give_up(subscription: Subscription, *, reason: str, now: dt.datetime) -> bool:
    """Nothing more will come; False when it had ended before."""
    with transaction.atomic():
        ended = _open(subscription).update(
            state=Subscription.State.GIVEN_UP, done_at=now, reason=reason[:255]
        )
        if ended:
            wanted.drop_unwanted(subscription, error=reason, now=now)
            nudge("jobs.activate")
            nudge("jobs.complete_transfers")
    return bool(ended)


def _open(subscription: Subscription) -> QuerySet[Subscription]:
    return Subscription.objects.filter(pk=subscription.pk, state=Subscription.State.OPEN)


def _must_be_open(subscription: Subscription, changed: int) -> None:
    if not changed:
        state = Subscription.objects.values_list("state", flat=True).get(pk=subscription.pk)
        raise IllegalMove(f"subscription {subscription.pk} is {state}: only an open one can change")


def _name(actor: User | str) -> str:
    return actor if isinstance(actor, str) else actor.get_username()


def _audit(
    action: str,
    subscription: Subscription,
    actor: User | str,
    reason: str,
    now: dt.datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    subject = f"subscription {subscription.pk} of {subscription}"
    audit.record(actor=actor, action=action, subject=subject, reason=reason, now=now, facts=facts)


def _missing(datasets: Sequence[Dataset], storage: StorageElement) -> dict[int, list[File]]:
    """Files of the datasets (by key) without a good replica at the storage element."""
    there = Replica.objects.filter(
        file=OuterRef("file"), storage=storage, state=Replica.State.AVAILABLE
    )
    members = DatasetFile.objects.filter(~Exists(there), dataset__in=datasets)
    found: dict[int, list[File]] = {}
    for member in members.select_related("file").order_by("file"):
        found.setdefault(member.dataset_id, []).append(member.file)
    return found


def _without_replica(files: QuerySet[File], storage: StorageElement) -> QuerySet[File]:
    there = Replica.objects.filter(
        file=OuterRef("pk"), storage=storage, state=Replica.State.AVAILABLE
    )
    return files.filter(~Exists(there)).order_by("pk")


def close_subscriptions(files: Collection[int], storage_id: int, *, now: dt.datetime) -> None:
    """Mark open subscriptions done whose datasets are now whole at the storage element.

    `files`, by key, are what has just arrived there.
    """
    of_them = DatasetFile.objects.filter(file__in=files).values("dataset")
    _close_whole(Subscription.objects.filter(dataset__in=of_them, storage=storage_id), now)


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
