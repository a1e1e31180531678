"""Physics data: datasets by project, stream, step and type, with files, events and size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Max, Min, Sum

from monitor import columns
from monitor.models import PhysicsTally
from monitor.params import Params
from monitor.sheets import Sheet, column

BY = {
    "all": ("project", "stream", "step", "data_type"),
    "project": ("project",),
    "type": ("project", "data_type"),
    "stream": ("project", "stream"),
    "step": ("project", "step"),
}


@dataclass(frozen=True, kw_only=True)
class PhysicsRow:
    """Sums of datasets with the same fields in their names."""

    project: str
    stream: str
    step: str
    data_type: str
    datasets: int
    files: int
    events: int | None  # None where no file says how many it has
    counted_pct: float | None
    size: int
    latest: dt.datetime


class PhysicsSheet(Sheet):
    """Sums of datasets."""

    project = column("Project", "first field of the name; other: the name has no fields")
    stream = column("Stream", "of data: what triggered it; empty for simulation")
    step = column("Step", "of production, such as evgen, simul, reco, merge")
    data_type = column("Type", "of the data, such as EVNT, HITS, AOD")
    datasets = columns.number("Datasets", "without blocks that only travel")
    files = columns.number("Files", "in them, one that is in two datasets twice")
    events = columns.number("Events", "in files that say how many they have; empty: none does")
    counted_pct = columns.percent("Files with events", "of all files: how far Events is the truth")
    size = column("Size", "of the files", kind=columns.SizeColumn, look="n")
    latest = columns.time("Newest (UTC)", "when the newest dataset was made")

    class Meta(Sheet.Meta):
        empty_text = "No dataset has been counted yet, or none fits: take a filter away."


def read(params: Params) -> tuple[Sequence[PhysicsRow], dt.datetime | None]:
    """The sums that the address asks for, the largest first, and the age of the oldest part."""
    by = params.choice("by", BY, default="all")
    names = BY[by]
    wanted = {name: params.text(name) for name in ("project", "stream", "step", "data_type")}
    rows = PhysicsTally.objects.filter(**{name: text for name, text in wanted.items() if text})
    summed = rows.order_by().values(*names).annotate(
        n=Sum("datasets"), n_files=Sum("files"), n_events=Sum("events"), n_counted=Sum("counted"),
        bytes=Sum("size"), newest=Max("latest"),
    )  # fmt: skip
    found = [
        PhysicsRow(
            **{name: row[name] if name in names else "" for name in wanted},
            datasets=row["n"],
            files=row["n_files"],
            events=int(row["n_events"]) if row["n_counted"] else None,
            counted_pct=100 * row["n_counted"] / row["n_files"] if row["n_files"] else None,
            size=int(row["bytes"]),
            latest=row["newest"],
        )
        for row in summed
    ]
    oldest = rows.aggregate(oldest=Min("as_of"))["oldest"]
    return sorted(found, key=lambda row: (-row.size, row.project)), oldest
