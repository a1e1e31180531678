"""Lists of datasets: the newest first, by what they are and where they are."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.urls import reverse

from datasets.browsing import BLOCKS
from datasets.models import Dataset, DatasetCategory, DatasetCopy, StorageElement
from datasets.states import DatasetState
from monitor import columns, lists
from monitor.lists import Field, chosen
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.params import refuse

FILTERS = (
    "category", "project", "name", "data_type", "type", "state", "storage", "owner", "hours",
)  # fmt: skip
SHOWN, TOLD = 50, 1000  # rows of a page, of a file
FEW = 20_000  # names that are looked up before anything else is asked
PLACES_SHOWN = 4
TYPES = [name for name in Dataset.Type.values if name not in BLOCKS]
LIVE = [state.value for state in DatasetState if state != DatasetState.ERASED]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A dataset of a list."""

    dataset: Dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dataset, name)

    @property
    def url(self) -> str:
        """Its page."""
        return reverse("monitor:dataset", args=[self.dataset.name])

    files = property(lambda self: self.dataset.n_files)
    size = property(lambda self: self.dataset.n_bytes)
    events = property(lambda self: self.dataset.n_events or None)
    lost = property(lambda self: self.dataset.n_lost)

    @property
    def owner(self) -> str:
        owner = self.dataset.owner
        return owner.get_username() if owner else ""

    @property
    def where(self) -> str:
        """The storage elements that have most of it: `BNL_DISK 10/10`."""
        copies = sorted(self.dataset.copies.all(), key=lambda copy: (-copy.files, copy.storage_id))
        words = [f"{one.storage.name} {one.files:,}/{self.files:,}" for one in copies]
        more = len(words) - PLACES_SHOWN
        return ", ".join(words[:PLACES_SHOWN]) + (f", {more} more" if more > 0 else "")


class DatasetSheet(Sheet):
    """Datasets, in the order of the list."""

    name = columns.link("Dataset", "its page", url=lambda record: record.url, look="wrap")
    category = column("Category", "by its name")
    data_type = column("Data type", "by its name, such as AOD")
    type = column("Type", "input: jobs read it; destination: jobs write into it")
    state = column("State", "open: files may be added; frozen: it never changes again")
    files = columns.number("Files", "in it")
    size = column("Size", "of the files", kind=columns.SizeColumn, look="n")
    events = columns.number("Events", "in the files that say how many they have")
    where = column("Where", "storage elements with good replicas: files there/files", look="wrap")
    lost = columns.number("Lost", "files without any good replica left")
    owner = column("Owner", "whose it is; empty: nobody's")
    created_at = columns.time("Made (UTC)", "when it was entered")
    aborted_at = columns.time("Aborted (UTC)", "when whoever made it stopped")
    aborted_reason = column("Why aborted", "what was said", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "No dataset fits: take a filter away."
        orderable = False


USUAL = (
    "name", "category", "data_type", "state", "files", "size", "events", "where", "created_at",
)  # fmt: skip
ABORTED = (
    "name", "category", "files", "lost", "where", "created_at", "aborted_at", "aborted_reason",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A piece of a list, and the key that the next piece is behind."""

    lines: Sequence[Line]
    before: int | None


def read(
    params: Params, *, now: dt.datetime, only: Q | None = None, hours: int | None = None
) -> Listing:
    """The datasets that the address asks for; `hours`: how new, where it does not say."""
    rows = _matching(params, now=now, hours=hours)
    rows = rows.filter(only) if only is not None else rows
    before = params.number("before", low=1, high=2**63 - 1)
    if before:
        rows = rows.filter(pk__lt=before)
    most = SHOWN if params.values.get("format", "html") == "html" else TOLD
    copies = Prefetch("copies", DatasetCopy.objects.select_related("storage"))
    rows = rows.select_related("owner").prefetch_related(copies)
    found = list(rows.order_by(_order(params.text("name")))[: most + 1])
    shown = found[:most]
    return Listing(
        lines=[Line(dataset=one) for one in shown],
        before=shown[-1].pk if len(found) > most else None,
    )


def _matching(params: Params, *, now: dt.datetime, hours: int | None) -> QuerySet[Dataset]:
    rows = Dataset.objects.exclude(category="")
    for name in ("category", "project", "data_type"):
        if text := params.text(name):
            rows = rows.filter(**{name: text})
    if wanted := params.choice("type", TYPES):
        rows = rows.filter(type=wanted)
    state = params.choice("state", DatasetState)
    rows = rows.filter(state=state) if state else rows.exclude(state=DatasetState.ERASED)
    if storage := chosen(params, "storage", StorageElement):
        rows = rows.filter(copies__storage=storage)
    if owner := lists.account(params, "owner"):
        rows = rows.filter(owner__username=owner)
    young = params.number("hours", low=1, high=8760) or hours
    if young:
        rows = rows.filter(created_at__gte=now - dt.timedelta(hours=young))
    return _named(rows, params.text("name"))


def _named(rows: QuerySet[Dataset], pattern: str) -> QuerySet[Dataset]:
    """By the beginning of the name, or by a pattern with * and ?."""
    if not pattern:
        return rows
    if re.search(r"[\x00-\x1f]", pattern):
        raise refuse("name", pattern, "one line without control characters")
    start = _start(pattern)
    rows = rows.filter(name__startswith=start)
    if start == pattern:
        return rows
    parts = {"*": ".*", "?": "."}
    words = "".join(parts.get(c) or re.escape(c) for c in pattern)
    return rows.filter(name__regex=f"^{words}$")


def _start(pattern: str) -> str:
    """What stands before the first * or ?."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def _order(pattern: str) -> OrderBy:
    """The newest first. Few that are called alike may all be old: they are found by their names,
    and a key that no index has keeps the planner from looking for them from the newest on."""
    start = _start(pattern)
    begun = Dataset.objects.filter(name__startswith=start).order_by()
    few = bool(start) and begun[: FEW + 1].count() <= FEW
    return (F("pk") + 0 if few else F("pk")).desc()


def fields(params: Params, *, without: Sequence[str] = ()) -> list[Field]:
    """The filters of the form."""
    given = params.text
    found = [
        Field(name="name", title="Name", value=given("name"), hint="mc08.*.AOD.*"),
        Field(
            name="category",
            title="Category",
            value=given("category"),
            options=lists.words(lists.names(DatasetCategory)),
        ),
        Field(name="project", title="Project", value=given("project")),
        Field(name="data_type", title="Data type", value=given("data_type"), hint="AOD"),
        Field(name="type", title="Type", value=given("type"), options=lists.words(TYPES)),
        Field(name="state", title="State", value=given("state"), options=lists.words(LIVE)),
        Field(
            name="storage",
            title="At",
            value=given("storage"),
            known=lists.names(StorageElement),
        ),
        Field(name="owner", title="Owner", value=given("owner")),
        Field(name="hours", title="Made within (h)", value=given("hours")),
    ]
    return [field for field in found if field.name not in without]


def facts(listing: Listing) -> Mapping[str, Any]:
    """What the JSON has beside the rows."""
    return {"before": listing.before}
