"""Closing datasets by what their jobs still owe them, and clearing what has served its time."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from datasets import services as data
from datasets.models import Dataset, DatasetFile, Subscription
from datasets.states import DatasetState
from datasets.subscriptions import settle_subscriptions
from jobs import counts
from jobs.models import BrokerageDecision, ClaimKey, Job, JobFile, Pilot, SubmitKey
from jobs.states import LIVE
from pandasite.base.errors import IllegalMove

BATCH = 1000
PILOT_BATCHES = 20  # a round; what is left waits for the next one
DECISION_DAYS = 3


def close_datasets(now: dt.datetime) -> int:
    """One round over sub and dispatch blocks.

    1. a sub block that no live job will add to any more: tobeclosed; 2. after a pause: frozen, or
    erased when nothing ever came; 3. a frozen block that is where it was wanted: completed.
    Before that, subscriptions are looked at once more that no transfer has marked done.
    Destination datasets stay open: they belong to the task.
    """
    settled = settle_subscriptions(now=now)
    return settled + _to_be_closed(now) + _freeze(now) + _complete(now)


def _to_be_closed(now: dt.datetime) -> int:
    # Jobs of the same parent dataset that may still use this block.
    owed = JobFile.objects.filter(
        type=JobFile.Type.OUTPUT, dataset=OuterRef("parent"), job__state__in=LIVE
    )
    done = Dataset.objects.filter(type=Dataset.Type.SUB, state=DatasetState.OPEN)
    return _set(done.filter(~Exists(owed)), DatasetState.TOBECLOSED, now)


def _freeze(now: dt.datetime) -> int:
    pause = dt.timedelta(minutes=settings.PANDASITE["CLOSE_MINUTES"])
    rested = Dataset.objects.filter(
        type=Dataset.Type.SUB,
        state=DatasetState.TOBECLOSED,
        state_changed_at__lte=now - pause,
    )
    members = DatasetFile.objects.filter(dataset=OuterRef("pk"))
    return _set(rested.filter(Exists(members)), DatasetState.FROZEN, now) + _set(
        rested.filter(~Exists(members)), DatasetState.ERASED, now
    )


def _complete(now: dt.datetime) -> int:
    wanted = Subscription.objects.filter(dataset=OuterRef("pk"))
    blocks = Dataset.objects.filter(
        Exists(wanted),
        ~Exists(wanted.filter(state=Subscription.State.OPEN)),
        type__in=[Dataset.Type.SUB, Dataset.Type.DISPATCH],
        state=DatasetState.FROZEN,
    )
    return _set(blocks, DatasetState.COMPLETED, now)


def _set(datasets: QuerySet[Dataset], to: DatasetState, now: dt.datetime) -> int:
    moved = 0
    for dataset in datasets.order_by("pk")[:BATCH]:
        try:
            data.set_dataset_state(dataset, to, now=now)
        except IllegalMove:
            continue  # another run of this sweep was faster
        moved += 1
    return moved


def housekeep(now: dt.datetime) -> int:
    """Clear what has served its time; returns the number of rows.

    Idempotency keys; decisions that no job shows any more; pilots long silent; hours of the counts
    that no page shows.
    """
    keys_before = now - dt.timedelta(hours=settings.PANDASITE["CLAIM_KEY_HOURS"])
    decisions_before = now - dt.timedelta(days=DECISION_DAYS)
    shown = Job.objects.filter(decision=OuterRef("pk"))
    unseen = BrokerageDecision.objects.filter(~Exists(shown), at__lt=decisions_before)
    removed = sum(
        rows.delete()[0]
        for rows in (
            ClaimKey.objects.filter(created_at__lt=keys_before),
            SubmitKey.objects.filter(created_at__lt=keys_before),
            unseen,
        )
    )
    return removed + _forget_pilots(now) + counts.merge_old(now)


def _forget_pilots(now: dt.datetime) -> int:
    """Pilots that have been silent for PILOT_DAYS and whose job, if any, has ended."""
    silent_since = now - dt.timedelta(days=settings.PANDASITE["PILOT_DAYS"])
    at_work = Job.objects.filter(pilot=OuterRef("pk"), state__in=LIVE)
    silent = Pilot.objects.filter(~Exists(at_work), last_contact__lt=silent_since).order_by("pk")
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
