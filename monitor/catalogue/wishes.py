"""Subscriptions: who wants which dataset where, how much is there, and why the rest is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from datasets.models import StorageElement, Subscription
from monitor import columns, lists
from monitor.catalogue import progress
from monitor.catalogue.progress import Last
from monitor.lists import Field, chosen
from monitor.params import Params
from monitor.sheets import Sheet, column
from monitor.words import ago

FILTERS = ("state", "storage", "activity", "owner", "dataset", "stuck", "first")
STATES = {"open": "open", "done": "done", "given_up": "given up", "all": "all"}
SHOWN, TOLD = 50, 1000
STUCK_HOURS = 24


@dataclass(kw_only=True)
class Wish:
    """A subscription with how far it is."""

    wish: Subscription
    now: dt.datetime
    files: int = 0
    ready: int = 0
    missing_bytes: int = 0
    last: Last | None = None
    eta: dt.datetime | None = None

    dataset = property(lambda self: self.wish.dataset.name)
    storage = property(lambda self: self.wish.storage.name)
    activity = property(lambda self: self.wish.activity)
    owner = property(lambda self: self.wish.owner)
    priority = property(lambda self: self.wish.priority)
    state = property(lambda self: self.wish.state)
    created_at = property(lambda self: self.wish.created_at)
    done_at = property(lambda self: self.wish.done_at)

    @property
    def url(self) -> str:
        """The page of the dataset."""
        return reverse("monitor:dataset", args=[self.wish.dataset.name])

    @property
    def ready_pct(self) -> float | None:
        return 100 * self.ready / self.files if self.files else None

    @property
    def waits(self) -> bool:
        return self.wish.state == Subscription.State.OPEN

    @property
    def error(self) -> str:
        """The last error, with the file."""
        if self.last is None or not self.last.error or not self.waits:
            return ""
        return f"{self.last.lfn}: {self.last.error}"[:500]

    @property
    def why(self) -> str:
        """Why it is not done; for one that was given up, what was said."""
        if not self.waits:
            return self.wish.reason
        if not self.files:
            return "the dataset has no files yet"
        if self.ready == self.files:
            return "all is there: the next sweep closes it"
        if self.last is None:
            return "no transfer is under way for what is missing: the next sweep asks for it"
        return self._why_missing(self.last)

    def _why_missing(self, last: Last) -> str:
        if last.permanent:
            return f"a file can never come: {last.reason or last.error[:100]}"
        if last.state == "copying":
            return "files are being copied"
        if last.state == "failed":
            return f"failed, to be asked for again: {last.reason or last.error[:100]}"
        if last.error:
            wait = (last.next_try_at - self.now).total_seconds()
            when = f"next try in {ago(wait)}" if wait > 0 else "next try is due"
            return f"{last.reason or last.error[:100]}: {when}, {self._wanted(last)}"
        return "files wait for a worker"

    def _wanted(self, last: Last) -> str:
        return f"wanted for {ago((self.now - last.created_at).total_seconds())}"

    def as_json(self) -> dict[str, Any]:
        """The facts; bytes."""
        names = (
            "dataset", "storage", "activity", "state", "created_at", "done_at", "files", "ready",
            "missing_bytes", "eta", "why", "error", "owner", "priority",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


class WishSheet(Sheet):
    """Subscriptions."""

    dataset = columns.link("Dataset", "its page", url=lambda record: record.url, look="wrap")
    storage = column("To", "the storage element where it is wanted")
    activity = column("Activity", "what it is wanted for")
    state = column("State", "open, done (all is there), given_up (nobody waits for the rest)")
    owner = column("Owner", "who wants it; empty: the system")
    priority = columns.number("Priority", "of its transfers: higher ones go first")
    created_at = columns.time("Since (UTC)", "when it was first wanted")
    ready = columns.number("Ready", "files that are there")
    files = columns.number("Files", "of the dataset")
    ready_pct = columns.percent("Ready %", "ready of all files")
    missing_bytes = column("Missing", "size of the rest", kind=columns.SizeColumn, look="n")
    eta = columns.time(
        "Expected (UTC)",
        f"when all that waits for this storage element is there, at its pace of the last"
        f" {progress.PACE_HOURS} h; empty: nothing arrived there",
    )
    why = column("Why not done", "what it waits for, or why it was given up", look="wrap")
    error = column("Last error", "of a file that is missing", look="wrap")
    done_at = columns.time("Ended (UTC)", "when all was there, or it was given up")

    class Meta(Sheet.Meta):
        empty_text = "No subscription fits: take a filter away."
        orderable = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A piece of the list; `behind` continues it."""

    wishes: Sequence[Wish] = field(default_factory=list)
    behind: int | None = None


def read(params: Params, *, now: dt.datetime) -> Listing:
    """The subscriptions that the address asks for, open ones unless it says otherwise."""
    rows = _matching(params, now=now)
    oldest = params.choice("first", ("newest", "oldest"), default="newest") == "oldest"
    if key := params.number("before", low=1, high=2**63 - 1):
        rows = rows.filter(pk__gt=key) if oldest else rows.filter(pk__lt=key)
    most = SHOWN if params.values.get("format", "html") == "html" else TOLD
    found = list(
        rows.select_related("dataset", "storage").order_by("pk" if oldest else "-pk")[: most + 1]
    )
    shown = found[:most]
    return Listing(
        wishes=described(shown, now=now), behind=shown[-1].pk if len(found) > most else None
    )


def _matching(params: Params, *, now: dt.datetime) -> QuerySet[Subscription]:
    rows = Subscription.objects.all()
    state = params.choice("state", STATES, default="open")
    if params.choice("stuck", ("yes",)):
        rows = rows.filter(state="open", created_at__lt=now - dt.timedelta(hours=STUCK_HOURS))
    elif state != "all":
        rows = rows.filter(state=state)
    if storage := chosen(params, "storage", StorageElement):
        rows = rows.filter(storage=storage)
    if activity := params.text("activity", longest=32):
        rows = rows.filter(activity=activity)
    if owner := lists.account(params, "owner", known=_has_wished):
        rows = rows.filter(owner=owner)
    if name := params.text("dataset"):
        rows = rows.filter(dataset__name__startswith=name)
    return rows


def _has_wished(owner: str) -> bool:
    return Subscription.objects.filter(owner=owner).exists()


def described(rows: Sequence[Subscription], *, now: dt.datetime) -> list[Wish]:
    """How far each is, in a few statements for all."""
    counts = progress.of(rows)
    waiting = [one for one in rows if one.state == Subscription.State.OPEN]
    lasts = progress.lasts([one.pk for one in waiting])
    ready_at = progress.expected({one.storage_id for one in waiting}, now=now)
    wishes = []
    for one in rows:
        wish = Wish(wish=one, now=now, last=lasts.get(one.pk))
        wish.files, wish.ready, wish.missing_bytes = counts.get(one.pk, (0, 0, 0))
        hopeless = wish.last is not None and wish.last.permanent
        if wish.waits and wish.ready < wish.files and not hopeless:
            wish.eta = ready_at.get(one.storage_id)
        wishes.append(wish)
    return wishes


def fields(params: Params) -> list[Field]:
    """The filters of the form."""
    given, state = params.text, params.values.get("state", "open")
    first = params.values.get("first", "newest")
    return [
        Field(name="state", title="State", value=state, options=[*STATES.items()], any=""),
        Field(
            name="storage", title="To", value=given("storage"), known=lists.names(StorageElement)
        ),
        Field(name="activity", title="Activity", value=given("activity")),
        Field(name="owner", title="Owner", value=given("owner")),
        Field(name="dataset", title="Dataset begins with", value=given("dataset")),
        Field(
            name="stuck",
            title="Only",
            value=given("stuck"),
            options=[("yes", f"open for more than {STUCK_HOURS} h")],
            any="any age",
        ),
        Field(
            name="first",
            title="First",
            value=first,
            options=[("newest", "the newest"), ("oldest", "the oldest")],
            any="",
        ),
    ]
