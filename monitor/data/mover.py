"""PandaMover: the channels between storage elements, with what is queued, running and failing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, Min, Sum
from django.urls import reverse

from datasets.models import SiteStorage, StorageElement, Transfer
from datasets.states import TransferState
from monitor import columns
from monitor.params import Params
from monitor.sheets import Sheet, column
from monitor.words import window_start

ENDED_READ = 200_000  # of the window: the latest
ERRORS_READ = 2000
NO_SOURCE = "(not chosen yet)"
ENGINE = "engine"
CARRIERS = (ENGINE, "mover", "ddm")


@dataclass(kw_only=True)
class Channel:
    """Transfers from one storage element to another."""

    source: str
    destination: str
    carrier: str = ENGINE
    site: str = ""  # that writes to the destination
    states: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    oldest: dt.datetime | None = None
    latest: dt.datetime | None = None
    error: str = ""
    error_at: dt.datetime | None = None

    queued = property(lambda self: self.states[TransferState.QUEUED])
    running = property(lambda self: self.states[TransferState.COPYING])
    done = property(lambda self: self.states[TransferState.DONE])
    failed = property(lambda self: self.states[TransferState.FAILED])

    @property
    def failed_pct(self) -> float | None:
        """failed / (done + failed)."""
        ended = self.done + self.failed
        return 100 * self.failed / ended if ended else None

    @property
    def site_url(self) -> str:
        """The page of the site."""
        return reverse("monitor:site", args=[self.site]) if self.site else ""


class ChannelSheet(Sheet):
    """Channels."""

    source = column("From", "storage element that the files come from; chosen when a copy begins")
    destination = columns.link(
        "To", "storage element; the site that writes to it", url=lambda record: record.site_url
    )
    carrier = column(
        "By", "engine: the built-in one; mover: jobs that pilots run; ddm: a system elsewhere"
    )
    queued = columns.number("Queued", "transfers that wait, for a worker or for another try")
    running = columns.number("Running", "that are being copied now")
    done = columns.number("Done", "within the window")
    failed = columns.number("Failed", "given up within the window")
    failed_pct = columns.percent("Failed %", "failed / (done + failed)")
    bytes = column("Moved", "within the window", kind=columns.SizeColumn, look="n")
    oldest = columns.time("Oldest waits since (UTC)", "when the oldest that has not ended was made")
    latest = columns.time("Last end (UTC)", "within the window")
    error = column("Last error", "of a failure or of the last try of one that goes on", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "Nothing waits, and no transfer ended within the window."


@dataclass(frozen=True, kw_only=True)
class Found:
    """Channels, and whether all transfers of the window were looked at."""

    channels: Sequence[Channel]
    whole: bool


def read(params: Params, *, now: dt.datetime) -> Found:
    """The channels with transfers that have not ended, or ended within the window."""
    since = window_start(now, params.hours("window") or 24)
    channels = Channels()
    for row in _active():
        one = channels.of(row)
        one.states[row["state"]] += row["n"]
        one.oldest = min(filter(None, [one.oldest, row["first"]]))
    read_ = 0
    for row in _ended(since):
        one = channels.of(row)
        one.states[row["state"]] += row["n"]
        one.bytes += int(row["moved"] or 0)
        one.latest = max(filter(None, [one.latest, row["last"]]))
        read_ += row["n"]
    for row in _errors(since):
        one, at = channels.of(row), row["ended_at"] or row["next_try_at"]
        if one.error_at is None or at > one.error_at:
            one.error, one.error_at = row["error"][:500], at
    rows = sorted(channels.found.values(), key=lambda one: (-one.failed, -one.queued, one.source))
    return Found(channels=_wanted(params, rows), whole=read_ < ENDED_READ)


class Channels:
    """Channels by the keys of their ends, made as they are asked for."""

    def __init__(self) -> None:
        self.found: dict[tuple[int | None, int, str], Channel] = {}
        self._names = dict(StorageElement.objects.values_list("pk", "name"))
        local = SiteStorage.objects.filter(role=SiteStorage.Role.LOCAL).order_by("-site__name")
        self._sites = dict(local.values_list("storage_id", "site__name"))

    def of(self, row: dict[str, Any]) -> Channel:
        """The channel of a row of transfers."""
        source, destination = row["source_id"], row["destination_id"]
        key = (source, destination, row["carrier"] or ENGINE)
        if key not in self.found:
            self.found[key] = Channel(
                source=self._names[source] if source else NO_SOURCE,
                destination=self._names[destination],
                carrier=key[2],
                site=self._sites.get(destination, ""),
            )
        return self.found[key]


def _wanted(params: Params, rows: Iterable[Channel]) -> list[Channel]:
    source, destination = params.text("from"), params.text("to")
    return [
        row
        for row in rows
        if source.lower() in row.source.lower()
        and destination.lower() in row.destination.lower()
        and params.text("by") in ("", row.carrier)
        and (not params.text("failing") or row.failed or row.error)
    ]


_PAIR = ("source_id", "destination_id", "carrier", "state")


def _active() -> Iterable[dict[str, Any]]:
    rows = Transfer.objects.active().order_by().values(*_PAIR)
    return rows.annotate(n=Count("pk"), first=Min("created_at"))


def _ended(since: dt.datetime) -> Iterable[dict[str, Any]]:
    """Of the latest ENDED_READ of the window, so that the page has an end."""
    latest = Transfer.objects.filter(ended_at__gte=since).order_by("-ended_at")[:ENDED_READ]
    rows = Transfer.objects.filter(pk__in=latest.values("pk")).order_by().values(*_PAIR)
    return rows.annotate(n=Count("pk"), moved=Sum("bytes_moved"), last=Max("ended_at"))


def _errors(since: dt.datetime) -> Iterable[dict[str, Any]]:
    names = ("source_id", "destination_id", "carrier", "error", "ended_at", "next_try_at")
    ended = Transfer.objects.filter(state=TransferState.FAILED, ended_at__gte=since)
    trying = Transfer.objects.active().exclude(error="")
    yield from ended.exclude(error="").order_by("-ended_at").values(*names)[:ERRORS_READ]
    yield from trying.order_by("-pk").values(*names)[:ERRORS_READ]
