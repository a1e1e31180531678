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


def request_transfers(
    files: Sequence[File],
    storage: StorageElement,
    *,
    now: dt.datetime,
    pause: dt.timedelta = dt.timedelta(),
    error: str = "",
    errand: Errand = PRODUCTION,
) -> None:
    """Queue a transfer for each file that has none active towards the storage element.

    It is tried after `pause`, and until then shows the `error` of the one before.
    """
    rows = [
        Transfer(
            file=file,
            destination=storage,
            created_at=now,
            next_try_at=now + pause,
            error=error,
            reason=reason_of(error),
            activity=errand.activity,
            priority=errand.priority,
            vo=errand.vo,
        )
        for file in files
    ]
    if not rows:
        return
    with transaction.atomic():
        Transfer.objects.bulk_create(rows, ignore_conflicts=True)  # one_active_transfer
        assign_carriers([storage.pk])
    if not pause:
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
    pause = pause_after(failed.aggregate(tries=Sum("attempts"))["tries"])
    errand = Errand.of(last)
    request_transfers([file], storage, now=now, pause=pause, error=last.error, errand=errand)
    return None
