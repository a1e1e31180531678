"""Closing datasets by what their jobs still owe them, and clearing what has served its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from brokerage import bans
from datasets import services as data
from datasets.models import Dataset, DatasetFile, Subscription, Transfer
from datasets.states import ACTIVE_TRANSFERS, DatasetState, TransferState
from datasets.subscriptions import settle_subscriptions
from jobs import archive, counts, debug, decisions, ends, kept_leases, nodes, samples
from jobs.models import ClaimKey, JobFile, Move, Pilot, SubmitKey
from jobs.queue import forget_kinds
from jobs.sandboxes import services as sandboxes
from jobs.states import LIVE
from jobs.tasks_engine import forgetting
from pandasite.base.errors import IllegalMove
from pandasite.base.rounds import Round

BATCH = 1000
PILOT_BATCHES = 20  # a round; what is left waits for the next one
DECISION_DAYS = (3, 10)  # while a job queues it may get another; `manage.py retain` has the rest
FAILED_TRANSFER_DAYS = 7  # at least; each try of a storage that is down leaves one
REPEATED_HOURS = 24  # of a failed transfer that another one has taken the place of
MOVE_DAYS = 30  # what a mover's job carried; its own files say it as well
HOUSEKEEP_SECONDS = 20.0


def close_datasets(now: dt.datetime) -> int:
    """One round over sub and dispatch blocks.

    1. a sub block that no live job will add to any more: tobeclosed; 2. after a pause: frozen, or
    erased when nothing ever came; 3. a frozen block that is where it was wanted: completed; 4. one
    that never will be, since no live job waits for what is missing: erased, with the reason.
    Before that, subscriptions are looked at once more that no transfer has marked done.
    Destination datasets stay open: they belong to the task.
    """
    work = Round()
    work.do("subscriptions", partial(settle_subscriptions, now=now))
    for look in (_to_be_closed, _rested, _empty, _whole):
        to, datasets = look(now)
        work.do(look.__name__, partial(_move, work, datasets, to, now))
    work.do("forsaken blocks", partial(_give_up, work, now))
    return work.end()


def _to_be_closed(_now: dt.datetime) -> tuple[DatasetState, QuerySet[Dataset]]:
    # Jobs of the same parent dataset that may still use this block.
    owed = JobFile.objects.filter(
        type=JobFile.Type.OUTPUT, dataset=OuterRef("parent"), job__state__in=LIVE
    )
    done = Dataset.objects.filter(type=Dataset.Type.SUB, state=DatasetState.OPEN)
    return DatasetState.TOBECLOSED, done.filter(~Exists(owed))


_MEMBERS = DatasetFile.objects.filter(dataset=OuterRef("pk"))


def _rested(now: dt.datetime) -> tuple[DatasetState, QuerySet[Dataset]]:
    return DatasetState.FROZEN, _after_the_pause(now).filter(Exists(_MEMBERS))


def _empty(now: dt.datetime) -> tuple[DatasetState, QuerySet[Dataset]]:
    return DatasetState.ERASED, _after_the_pause(now).filter(~Exists(_MEMBERS))


def _after_the_pause(now: dt.datetime) -> QuerySet[Dataset]:
    pause = dt.timedelta(minutes=settings.PANDASITE["CLOSE_MINUTES"])
    return Dataset.objects.filter(
        type=Dataset.Type.SUB,
        state=DatasetState.TOBECLOSED,
        state_changed_at__lte=now - pause,
    )


def _whole(_now: dt.datetime) -> tuple[DatasetState, QuerySet[Dataset]]:
    wanted = Subscription.objects.filter(dataset=OuterRef("pk"))
    blocks = Dataset.objects.filter(
        Exists(wanted),
        ~Exists(wanted.filter(state=Subscription.State.OPEN)),
        type__in=[Dataset.Type.SUB, Dataset.Type.DISPATCH],
        state=DatasetState.FROZEN,
    )
    return DatasetState.COMPLETED, blocks


def _move(work: Round, datasets: QuerySet[Dataset], to: DatasetState, now: dt.datetime) -> int:
    return _each(work, datasets, lambda dataset: data.set_dataset_state(dataset, to, now=now))


def _give_up(work: Round, now: dt.datetime) -> int:
    reason = "files that did not come are wanted by no job any more"
    return _each(
        work, _forsaken(), lambda dataset: data.give_up_dataset(dataset, reason=reason, now=now)
    )


def _each(work: Round, datasets: QuerySet[Dataset], deed: Callable[[Dataset], None]) -> int:
    """The deed for each dataset on its own; 0, since `work` counts them."""
    for dataset in datasets.order_by("pk")[:BATCH]:
        if work.over:
            break
        work.do(f"dataset {dataset.name}", partial(_one, deed, dataset))
    return 0


def _one(deed: Callable[[Dataset], None], dataset: Dataset) -> int:
    try:
        deed(dataset)
    except IllegalMove:
        return 0  # another run of this sweep was faster
    return 1


def _forsaken() -> QuerySet[Dataset]:
    """Frozen blocks that wait for files which nobody is moving, for no live job."""
    waiting = JobFile.objects.filter(block=OuterRef("pk"), job__state__in=LIVE)
    moving = Transfer.objects.filter(
        file__memberships__dataset=OuterRef("pk"),
        destination__subscriptions__dataset=OuterRef("pk"),
        state__in=ACTIVE_TRANSFERS,
    )
    still_open = Subscription.objects.filter(dataset=OuterRef("pk"), state=Subscription.State.OPEN)
    return Dataset.objects.filter(
        Exists(still_open),
        ~Exists(waiting),
        ~Exists(moving),
        type__in=[Dataset.Type.SUB, Dataset.Type.DISPATCH],
        state=DatasetState.FROZEN,
    )


def housekeep(now: dt.datetime) -> int:
    """Clear what has served its time; returns the number of rows.

    Idempotency keys; leases kept for pilots; decisions that no job shows any more; old
    transfers; what movers carried; lists of input of tasks; pilots and nodes long silent; bans that
    are over; samples of days gone by; hours of counts and ends that no page shows; kinds of
    requirements that no queue has; sandboxes that nobody uses; debug modes of jobs long gone. And
    the archive gets its next weeks.
    """
    keys_before = now - dt.timedelta(hours=settings.PANDASITE["CLAIM_KEY_HOURS"])
    young, old = (now - dt.timedelta(days=days) for days in DECISION_DAYS)
    work = Round(seconds=HOUSEKEEP_SECONDS)
    for rows in (
        ClaimKey.objects.filter(created_at__lt=keys_before),
        kept_leases.served(before=keys_before),
        SubmitKey.objects.filter(created_at__lt=keys_before),
        *_old_transfers(now),
        Move.objects.filter(settled_at__lt=now - dt.timedelta(days=MOVE_DAYS)),
    ):
        work.do(rows.model.__name__, partial(_delete, work, rows))
    forget = partial(decisions.forget, since=old, before=young, over=lambda: work.over)
    work.do("decisions", forget)
    work.do("input lists", partial(forgetting.forget, now, over=lambda: work.over))
    work.do("pilots", partial(_forget_pilots, now))
    work.do("nodes", partial(nodes.forget, now))
    work.do("bans", partial(bans.lift_expired, now))
    work.do("samples", partial(samples.keep, now))
    work.do("counts", partial(counts.merge_old, now))
    work.do("ends", partial(ends.merge_old, now))
    work.do("kinds of queues", forget_kinds)
    work.do("debug modes", partial(debug.forget, now))
    work.do("sandboxes", partial(sandboxes.forget, now))
    work.do("weeks of the archive", partial(archive.make_weeks, now))
    return work.end()


def _old_transfers(now: dt.datetime) -> list[QuerySet[Transfer]]:
    """Failed ones that are old, or that another one has taken the place of; old done ones.

    A failed one says since when its file is wanted, for as long as that may matter.
    """
    limits = settings.PANDASITE
    hours = max(24 * FAILED_TRANSFER_DAYS, limits["TRANSFER_GIVE_UP_HOURS"])
    day_ago, old, older = (
        now - dt.timedelta(hours=n) for n in (REPEATED_HOURS, hours, 24 * limits["TRANSFER_DAYS"])
    )
    later = Transfer.objects.filter(
        file=OuterRef("file"), destination=OuterRef("destination"), pk__gt=OuterRef("pk")
    )
    failed = Transfer.objects.filter(state=TransferState.FAILED)
    done = Transfer.objects.filter(state=TransferState.DONE, ended_at__lt=older)
    repeated = failed.filter(Exists(later), ended_at__lt=day_ago)
    return [failed.filter(ended_at__lt=old), repeated, done]


def _delete(work: Round, rows: QuerySet[Any]) -> int:
    """In batches: what points at a row is read before it goes, and the rows may be large."""
    deleted = 0
    while not work.over:
        batch = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not batch:
            break
        deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0]
    return deleted


def _forget_pilots(now: dt.datetime) -> int:
    """Pilots that have been silent for PILOT_DAYS, and for so long that no lease is left."""
    limits = settings.PANDASITE
    days = dt.timedelta(days=limits["PILOT_DAYS"])
    silent_since = now - max(days, dt.timedelta(seconds=limits["LEASE_SECONDS"] + 3600))
    silent = Pilot.objects.filter(last_contact__lt=silent_since).order_by("pk")
    forgotten = 0
    for _ in range(PILOT_BATCHES):
        with transaction.atomic():
            # locked, so that one that comes back at this moment is made anew and not lost
            held = silent.select_for_update(skip_locked=True, of=("self",))
            batch = list(held.values_list("pk", flat=True)[:BATCH])
            Pilot.objects.filter(pk__in=batch).delete()
        forgotten += len(batch)
        if len(batch) < BATCH:
            break
    return forgotten
