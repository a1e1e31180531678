"""The verbs of this floor: the only code that writes states of datasets and transfers.

What is wished for is beside it: whole datasets in subscriptions.py, single files in demand.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from datasets import registry, staging
from datasets.demand import pause_after, too_old
from datasets.models import (
    Dataset,
    File,
    Replica,
    StorageElement,
    Transfer,
)
from datasets.reasons import reason_of
from datasets.registry import NewFile
from datasets.staging import WAITS_FOR_TAPE
from datasets.states import DATASET_MOVES, DatasetState, TransferState
from datasets.subscriptions import end_wishes, reopen_for
from pandasite.base import inorder
from pandasite.base.errors import IllegalMove
from pandasite.base.nudge import nudge

GIVEN_UP = 1000  # transfers that are looked at per round
TAPE_PATIENCE = dt.timedelta(hours=1)  # whoever stages the file wakes those that wait for it
WORKERS_MAX = 5  # a transfer that this many workers died over is not given to another one


def ensure_datasets(
    names: Iterable[str], *, type: Dataset.Type, now: dt.datetime
) -> dict[str, Dataset]:
    """The datasets of these names, made where they are missing; an existing one keeps its type."""
    return ensure_typed(dict.fromkeys(names, type), now=now)


def ensure_typed(
    types: Mapping[str, Dataset.Type], *, now: dt.datetime, owner: User | None = None
) -> dict[str, Dataset]:
    """The same for datasets of several types: by name, the type that a missing one gets.

    A missing destination belongs to the `owner`; who needs an input does not own it.
    """
    # In one order, so that two who make the same datasets never wait for each other.
    wanted = sorted(types)
    born = {"created_at": now, "state_changed_at": now}
    owners = {Dataset.Type.DESTINATION: owner}
    fresh = [Dataset(name=n, type=types[n], owner=owners.get(types[n]), **born) for n in wanted]
    Dataset.objects.bulk_create(fresh, ignore_conflicts=True)
    return {dataset.name: dataset for dataset in Dataset.objects.filter(name__in=wanted)}


def promote_to_destinations(names: Iterable[str]) -> int:
    """Input datasets that jobs are going to write into are destinations from now on."""
    inputs = Dataset.objects.filter(name__in=set(names), type=Dataset.Type.INPUT)
    held = inputs.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)
    return Dataset.objects.filter(pk__in=list(held)).update(type=Dataset.Type.DESTINATION)


def new_dataset(
    name: str,
    *,
    type: Dataset.Type,
    now: dt.datetime,
    parent: Dataset | None = None,
    source: StorageElement | None = None,
    destination: StorageElement | None = None,
) -> Dataset:
    """A new, open dataset."""
    return Dataset.objects.create(
        name=name,
        type=type,
        parent=parent,
        source=source,
        destination=destination,
        created_at=now,
        state_changed_at=now,
    )


def set_dataset_state(dataset: Dataset, to: DatasetState, *, now: dt.datetime) -> None:
    """Move a dataset by the table of legal moves; the loser of a race learns it."""
    since = [state for state, after in DATASET_MOVES.items() if to in after]
    moved = Dataset.objects.filter(pk=dataset.pk, state__in=since).update(
        state=to, state_changed_at=now
    )
    if not moved:
        raise IllegalMove(f"dataset {dataset.name} is {dataset.state}, it may not become {to}")


def give_up_dataset(dataset: Dataset, *, reason: str, now: dt.datetime) -> None:
    """Nobody waits for the rest of a block: it is erased, its subscriptions end with the reason."""
    with transaction.atomic():
        set_dataset_state(dataset, DatasetState.ERASED, now=now)
        end_wishes([dataset.pk], reason=reason, now=now)


def abort_datasets(ids: Iterable[int], *, reason: str, now: dt.datetime) -> int:
    """Whoever made these datasets has stopped: they are listed as aborted, and no longer brought
    anywhere. Their files stay. Returns how many were not aborted before.
    """
    held = Dataset.objects.filter(pk__in=set(ids), aborted_at=None).order_by("pk")
    with transaction.atomic():
        keys = list(held.select_for_update(no_key=True).values_list("pk", flat=True))
        end_wishes(keys, reason=f"aborted: {reason}", now=now)
        return Dataset.objects.filter(pk__in=keys).update(
            aborted_at=now, aborted_reason=reason[:255]
        )


def register_file(
    new: NewFile,
    *,
    storage: StorageElement,
    dataset: Dataset | None,
    now: dt.datetime,
    proven: bool = False,
) -> File:
    """Enter a file, its dataset and its replica, once: repeating it changes nothing.

    `proven`: it is stored there just now, so that a replica that was bad is good again.
    Conflict: the name already belongs to other content.
    """
    with transaction.atomic():
        key = registry.enter([new], now=now)[new.name]
        registry.add_members([(dataset.pk, key)] if dataset else [])
        add = registry.add_proven if proven else registry.add_replicas
        add([(key, storage.pk)], now=now)
    return File.objects.get(pk=key)


def add_files(dataset: Dataset, files: Iterable[File]) -> None:
    """Make files members of a dataset; those that are already stay."""
    registry.add_members((dataset.pk, file.pk) for file in files)


def retry_or_fail_transfer(
    transfer: Transfer, error: str, *, permanent: bool, now: dt.datetime
) -> None:
    """Queue the transfer again with a growing pause, or give it up with the reason.

    `permanent`: no good source is left, so that asking again (see demand.py) is in vain.
    """
    tries = settings.PANDASITE["TRANSFER_ATTEMPTS"]
    mine = Transfer.objects.filter(
        pk=transfer.pk, state=TransferState.COPYING, attempts=transfer.attempts
    )
    if permanent or transfer.attempts >= tries:
        mine.update(
            state=TransferState.FAILED,
            permanent=permanent,
            error=error,
            reason=reason_of(error),
            ended_at=now,
            lease_until=None,
        )
        nudge("jobs.activate")
        nudge("jobs.complete_transfers")
        return
    mine.update(
        state=TransferState.QUEUED,
        error=error,
        reason=reason_of(error),
        lease_until=None,
        next_try_at=now + pause_after(transfer.attempts),
    )


def release_abandoned(*, now: dt.datetime) -> int:
    """Queue transfers again whose worker died: they are due at once.

    One that outlived WORKERS_MAX workers is given up: it may be what ends them, or a storage
    that hangs. Who still wants the file asks again after a pause.
    """
    tries = max(WORKERS_MAX, settings.PANDASITE["TRANSFER_ATTEMPTS"])
    silent = Transfer.objects.abandoned(now)
    given_up = inorder.update(
        silent.filter(attempts__gte=tries),
        state=TransferState.FAILED,
        error=f"given up: {tries} workers fell silent while they copied it",
        reason="worker lost",
        ended_at=now,
        lease_until=None,
    )
    if given_up:
        nudge("jobs.activate")
        nudge("jobs.complete_transfers")
    return inorder.update(
        silent,
        state=TransferState.QUEUED,
        lease_until=None,
        next_try_at=now,
        error="the worker that copied it fell silent",
        reason="worker lost",
    )


def await_stage(transfer: Transfer, source: StorageElement, *, now: dt.datetime) -> None:
    """Queue the transfer again until the tape has staged its file, which is no failed try."""
    with transaction.atomic():
        mine = Transfer.objects.filter(
            pk=transfer.pk, state=TransferState.COPYING, attempts=transfer.attempts
        )
        moved = mine.update(
            state=TransferState.QUEUED,
            attempts=F("attempts") - 1,
            error=f"waits for the tape at {source.name}",
            reason=WAITS_FOR_TAPE,
            lease_until=None,
            next_try_at=now + TAPE_PATIENCE,
        )
        if moved:
            staging.prestage([transfer.file_id], source, now=now)


def give_up_old(*, now: dt.datetime) -> int:
    """End transfers that were asked for too long ago, of those that have been due for longest."""
    hours, oldest = settings.PANDASITE["TRANSFER_GIVE_UP_HOURS"], too_old(now)
    due = Transfer.objects.due(now).order_by("next_try_at").values_list("pk", "created_at")
    old = [pk for pk, created_at in due[:GIVEN_UP] if created_at < oldest]
    if not old:
        return 0
    words = Concat(F("error"), Value(f" (given up after {hours} hours)"))
    queued = Transfer.objects.filter(pk__in=old, state=TransferState.QUEUED)
    given_up = inorder.update(queued, state=TransferState.FAILED, error=words, ended_at=now)
    nudge("jobs.activate")
    nudge("jobs.complete_transfers")
    return given_up


def mark_bad(file: File, storage: StorageElement, reason: str) -> None:
    """Never read this replica again; it stays as evidence. Who had it there lacks it again."""
    with transaction.atomic():
        mine = Replica.objects.filter(file=file, storage=storage)
        mine.update(state=Replica.State.BAD, reason=reason[:255])
        reopen_for([file.pk], storage)
