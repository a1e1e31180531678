"""Asking for files, and asking again for those that are still wanted.

A transfer that was given up is not the end of the wish: a destination that is down, full or slow
today serves tomorrow. Only a permanent failure is: no good source is left. Whoever wants the file
asks here as long as it wants it, and each failure makes the pause before the next try longer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from datasets.models import File, StorageElement, Transfer
from datasets.reasons import reason_of
from datasets.states import TransferState
from datasets.wanted import assign_carriers
from pandasite.base.nudge import nudge


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What files are moved for: activities share the links fairly, priorities order within."""

    activity: str = "production"
    priority: int = 0
    vo: str = ""

    @classmethod
    def of(cls, transfer: Transfer) -> Errand:
        """That of a transfer, for the one that takes its place."""
        return cls(activity=transfer.activity, priority=transfer.priority, vo=transfer.vo)


PRODUCTION = Errand()


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A file (by key) that is asked for, again when an `error` is said of an earlier transfer.

    It is tried after the pause, and until then shows that error. It has been wanted `since` then;
    None: since now.
    """

    file_id: int
    pause: dt.timedelta = dt.timedelta()
    error: str = ""
    since: dt.datetime | None = None


def request_transfers(
    files: Sequence[File],
    storage: StorageElement,
    *,
    now: dt.datetime,
    errand: Errand = PRODUCTION,
) -> None:
    """Queue a transfer for each file that has none active towards the storage element."""
    ask([Asking(file_id=file.pk) for file in files], storage, now=now, errand=errand)


def ask(
    askings: Sequence[Asking], storage: StorageElement, *, now: dt.datetime, errand: Errand
) -> None:
    """The same, for files that may have been asked for before."""
    rows = [
        Transfer(
            file_id=one.file_id,
            destination=storage,
            created_at=one.since or now,
            next_try_at=now + one.pause,
            error=one.error,
            reason=reason_of(one.error),
            **vars(errand),
        )
        for one in askings
    ]
    if not rows:
        return
    with transaction.atomic():
        Transfer.objects.bulk_create(rows, ignore_conflicts=True)  # one_active_transfer
        assign_carriers([storage.pk])
    if any(not one.pause for one in askings):
        nudge("datasets.schedule_transfers")


def pause_after(tries: int) -> dt.timedelta:
    """How long to wait after so many tries without success: doubles up to the setting."""
    first = settings.PANDASITE["TRANSFER_RETRY_SECONDS"]
    longest = settings.PANDASITE["TRANSFER_PAUSE_SECONDS"]
    return dt.timedelta(seconds=min(first * 2 ** min(max(tries, 1) - 1, 20), longest))


def ask_again(
    file: File,
    storage: StorageElement,
    *,
    since: dt.datetime,
    now: dt.datetime,
    errand: Errand = PRODUCTION,
) -> Transfer | None:
    """Ask for a file that nobody is moving; the failed transfer when it can never come.

    `since` is when the wish began: what failed before does not count.
    """
    failed = Transfer.objects.filter(
        file=file, destination=storage, state=TransferState.FAILED, ended_at__gte=since
    )
    last = failed.order_by("-ended_at").first()
    if last is None:
        request_transfers([file], storage, now=now, errand=errand)
        return None
    if last.permanent:
        return last
    again = Asking(
        file_id=file.pk,
        pause=pause_after(failed.aggregate(tries=Sum("attempts"))["tries"]),
        error=last.error,
        since=last.created_at if last.created_at > too_old(now) else None,
    )
    ask([again], storage, now=now, errand=Errand.of(last))
    return None


def too_old(now: dt.datetime) -> dt.datetime:
    """What was asked for before then is given up; who asks all the same begins anew."""
    return now - dt.timedelta(hours=settings.PANDASITE["TRANSFER_GIVE_UP_HOURS"])
