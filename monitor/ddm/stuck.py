"""Transfers that have waited longest, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from datasets.models import Transfer
from datasets.states import TransferState
from monitor import columns, menu
from monitor.catalogue.keyed import cursor_of, moment_of
from monitor.ddm.scope import NO_SOURCE, Scope
from monitor.params import Params
from monitor.sheets import Sheet, column
from monitor.words import ago

SHOWN, TOLD = 50, 1000
STUCK_HOURS = 24
READ = (
    "activity", "state", "attempts", "created_at", "next_try_at", "started_at", "reason", "error",
    "file__scope", "file__lfn", "file__size", "source__name", "destination__name",
)  # fmt: skip


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
        """The page of the file; '' for a name that no address can have."""
        return menu.place("monitor:file", self.transfer.file.scope, self.transfer.file.lfn)

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
            tried = f", after {one.attempts} that failed" if one.attempts else ""
            return f"the next try is in {wait}{tried}{said}"
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
    why = column("Why it waits", "and what the last try said", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "No transfer waits that long."
        orderable = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A piece of the list; `behind` continues it."""

    transfers: Sequence[Waiting]
    behind: str


def read(scope: Scope, params: Params, *, hours: int) -> Listing:
    """Those that have waited for `hours` at least, the longest first."""
    before = scope.now - dt.timedelta(hours=hours)
    rows = scope.of(Transfer.objects.active().filter(created_at__lt=before))
    if reason := params.text("reason", longest=32):
        rows = rows.filter(reason=reason)
    if moment := moment_of(params.text("before")):
        at, key = moment
        rows = rows.filter(created_at__gte=at).exclude(created_at=at, pk__lte=key)
    most = SHOWN if params.values.get("format", "html") == "html" else TOLD
    chosen = rows.select_related("file", "source", "destination").only(*READ)
    found = list(chosen.order_by("created_at", "pk")[: most + 1])
    shown = found[:most]
    return Listing(
        transfers=[Waiting(transfer=one, now=scope.now) for one in shown],
        behind=cursor_of(shown[-1].created_at, shown[-1].pk) if len(found) > most else "",
    )
