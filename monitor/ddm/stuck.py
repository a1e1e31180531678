"""Transfers that have waited longest, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from datasets.models import Transfer
from datasets.states import TransferState
from monitor import columns
from monitor.ddm.scope import NO_SOURCE, Scope
from monitor.sheets import Sheet, column
from monitor.words import ago

MOST = 1000
STUCK_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A transfer that has not ended."""

    transfer: Transfer
    now: dt.datetime

    @property
    def file(self) -> str:
        return f"{self.transfer.file.scope}:{self.transfer.file.lfn}"

    @property
    def file_url(self) -> str:
        """The page of the file."""
        return reverse("monitor:file", args=[self.transfer.file.scope, self.transfer.file.lfn])

    source = property(lambda self: self.transfer.source.name if self.transfer.source else NO_SOURCE)
    destination = property(lambda self: self.transfer.destination.name)
    activity = property(lambda self: self.transfer.activity)
    state = property(lambda self: self.transfer.state)
    attempts = property(lambda self: self.transfer.attempts)
    created_at = property(lambda self: self.transfer.created_at)
    size = property(lambda self: self.transfer.file.size)
    next_try_at = property(
        lambda self: self.transfer.next_try_at if self.transfer.state == "queued" else None
    )
    reason = property(lambda self: self.transfer.reason)

    @property
    def why(self) -> str:
        """What it waits for, and what the last try said."""
        one, now = self.transfer, self.now
        said = f": {one.error[:300]}" if one.error else ""
        if one.state == TransferState.COPYING:
            return f"a worker copies it since {_ago(one.started_at, now)}{said}"
        if one.next_try_at > now:
            wait = ago((one.next_try_at - now).total_seconds())
            return f"the next try is in {wait}, after {one.attempts} that failed{said}"
        return f"it is due since {_ago(one.next_try_at, now)}, and no worker has taken it{said}"


def _ago(at: dt.datetime | None, now: dt.datetime) -> str:
    return ago((now - at).total_seconds()) if at else "a moment"


class StuckSheet(Sheet):
    """Transfers, the oldest first."""

    file = columns.link("File", "scope and LFN; its page", url=lambda r: r.file_url, look="wrap")
    source = column("From", "storage element; chosen when a copy begins")
    destination = column("To", "storage element")
    activity = column("Activity", "what it is moved for")
    state = column("State", "queued: waits for a worker or the next try; copying: one holds it")
    created_at = columns.time("Wanted since (UTC)", "when somebody asked for it")
    attempts = columns.number("Tries", "that were begun")
    next_try_at = columns.time("Next try (UTC)", "when it may be taken again")
    size = column("Size", "of the file", kind=columns.SizeColumn, look="n")
    reason = column("Reason", "of the last try that failed, in a few words")
    why = column("Why it waits", "and what the last try said", look="wrap", orderable=False)

    class Meta(Sheet.Meta):
        empty_text = "No transfer waits that long."


def read(scope: Scope, *, hours: int, reason: str) -> Sequence[Waiting]:
    """The MOST that have waited longest, for `hours` at least."""
    before = scope.now - dt.timedelta(hours=hours)
    rows = scope.of(Transfer.objects.active().filter(created_at__lt=before))
    if reason:
        rows = rows.filter(reason=reason)
    chosen = rows.select_related("file", "source", "destination").order_by("created_at", "pk")
    return [Waiting(transfer=one, now=scope.now) for one in chosen[:MOST]]
