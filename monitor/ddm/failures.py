"""Why transfers fail: by the normalised reason, with what one of the errors says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import BigIntegerField, CharField, Func, Max, Sum
from django.urls import reverse

from datasets.models import TransferFailure, TransferQueue
from monitor import columns
from monitor.ddm.scope import Scope
from monitor.sheets import Sheet, column

MOST = 50_000  # links by reason that are read: more is no question any more


@dataclass(kw_only=True)
class Reason:
    """Failures of a kind."""

    reason: str
    url: str = ""
    source: str = ""
    destination: str = ""
    activity: str = ""
    vo: str = ""
    failed: int = 0
    trying: int = 0
    share: float | None = None
    sample: str = ""
    latest: dt.datetime | None = None
    transfer: int | None = None
    links: set[tuple[int | None, int]] = field(default_factory=set)

    @property
    def n_links(self) -> int:
        return len(self.links)

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        names = ("reason", "failed", "trying", "share", "n_links", "sample", "latest", "transfer")
        return {name: getattr(self, name) for name in names}


Row = dict[str, Any]


def by_reason(scope: Scope) -> list[Reason]:
    """The reasons of the scope, the most frequent first."""
    found: dict[str, Reason] = {}
    for row in (*_failed(scope), *_trying(scope)):
        _add(found.setdefault(row["reason"], Reason(reason=row["reason"])), row)
    for one in found.values():
        one.url = f"{reverse('monitor:ddm_errors')}{scope.query(reason=one.reason)}"
    return _ranked(found.values())


def by_link(scope: Scope, *, reason: str) -> list[Reason]:
    """The same by link on the level of the scope, activity and VO."""
    found: dict[tuple[str, ...], Reason] = {}
    for row in (*_failed(scope, reason=reason), *_trying(scope, reason=reason)):
        source = scope.places.label(row["source"], scope.by)
        destination = scope.places.label(row["destination"], scope.by)
        key = (row["reason"], source, destination, row["activity"], row["vo"])
        if key not in found:
            found[key] = Reason(
                reason=row["reason"],
                source=source,
                destination=destination,
                activity=row["activity"],
                vo=row["vo"],
            )
        _add(found[key], row)
    return _ranked(found.values())


class First(Func):
    """The first of an array."""

    template = "(%(expressions)s)[1]"


_BY = ("reason", "source", "destination", "activity", "vo")


def _failed(scope: Scope, *, reason: str = "") -> Iterable[Row]:
    """Given up within the window, summed over it."""
    rows = scope.within(TransferFailure.objects.order_by())
    rows = rows.filter(reason=reason) if reason else rows
    return rows.values(*_BY).annotate(
        failed=Sum("n"),
        last=Max("latest"),
        # the first of each alone comes over the wire
        latest_sample=First(ArrayAgg("sample", order_by="-latest"), output_field=CharField()),
        latest_key=First(ArrayAgg("transfer", order_by="-latest"), output_field=BigIntegerField()),
    )[:MOST]


def _trying(scope: Scope, *, reason: str = "") -> Iterable[Row]:
    """Failed and tried again, now."""
    rows = scope.of(TransferQueue.objects.exclude(reason="").order_by())
    rows = rows.filter(reason=reason) if reason else rows
    return rows.values(*_BY).annotate(trying=Sum("n"), latest_sample=Max("sample"))[:MOST]


def _add(one: Reason, row: Row) -> None:
    one.failed += row.get("failed", 0)
    one.trying += row.get("trying", 0)
    one.links.add((row["source"], row["destination"]))
    last = row.get("last")
    if last and (one.latest is None or last > one.latest):
        one.latest, one.sample, one.transfer = last, row["latest_sample"], row["latest_key"]
    one.sample = one.sample or row["latest_sample"]


def _ranked(reasons: Iterable[Reason]) -> list[Reason]:
    rows = sorted(reasons, key=lambda one: (-one.failed, -one.trying, one.reason, one.source))
    whole = sum(one.failed for one in rows)
    for one in rows:
        one.share = 100 * one.failed / whole if whole else None
    return rows


class ErrorSheet(Sheet):
    """Failures by reason and link."""

    reason = column("Reason", "the error without its names and numbers")
    source = column("From", "on the level that was chosen; chosen when a copy begins")
    destination = column("To", "on the level that was chosen")
    activity = column("Activity", "what the files are moved for")
    vo = column("VO", "whose files they are; empty: not known")
    failed = columns.number("Failed", "transfers that were given up within the window")
    share = columns.percent("Share", "of all failures of this table")
    trying = columns.number("Trying", "transfers that failed so and are tried again, now")
    latest = columns.time("Latest (UTC)", "when the latest was given up")
    sample = column("Sample", "what one of them says: the latest", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "No failure in this window."
