"""Storage elements with their space, and what moves to and from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from datasets.models import StorageElement
from datasets.space import capacity_of
from monitor import columns
from monitor.ddm.scope import Places
from monitor.sheets import Sheet, column
from monitor.space import FULL_PERCENT


@dataclass(frozen=True, kw_only=True)
class Space:
    """A storage element; bytes."""

    storage: str
    cloud: str
    site: str
    kind: str
    capacity: int
    used: int | None
    free: int | None
    measured_at: dt.datetime | None
    url: str

    @property
    def used_pct(self) -> float | None:
        """How full it is."""
        known = self.used is not None and self.capacity
        return 100 * (self.used or 0) / self.capacity if known else None

    @property
    def look(self) -> str:
        """In a word."""
        if self.used_pct is None:
            return "new"
        return "full" if self.used_pct > FULL_PERCENT else "within"


class SpaceSheet(Sheet):
    """Storage elements."""

    storage = columns.link("Storage", "element; its history", url=lambda record: record.url)
    cloud = column("Cloud", "of the site")
    site = column("Site", "the first that writes to it")
    kind = column("Kind", "disk or tape")
    capacity = column("Capacity", "as declared or measured", kind=columns.SizeColumn, look="n")
    used = column("Used", "capacity less what is free", kind=columns.SizeColumn, look="n")
    free = column("Free", "as last measured; empty: never", kind=columns.SizeColumn, look="n")
    used_pct = column(
        "Full",
        "used of the capacity",
        kind=columns.BarColumn,
        parts=lambda record: [
            ("over" if record.look == "full" else "running", record.used or 0),
            ("room", record.free or 0),
        ],
    )
    measured_at = columns.time("Measured (UTC)", "when")

    class Meta(Sheet.Meta):
        empty_text = "There is no storage element yet: an administrator makes them."


def read(*, days: str) -> Sequence[Space]:
    """All of them, by name."""
    places, found = Places(), []
    for one in StorageElement.objects.order_by("name"):
        known, capacity = one.free_bytes is not None, capacity_of(one)
        free = one.free_bytes or 0
        found.append(
            Space(
                storage=one.name,
                cloud=places.label(one.pk, "cloud"),
                site=places.label(one.pk, "site"),
                kind=one.kind,
                capacity=capacity,
                used=max(0, capacity - free) if known else None,
                free=free if known else None,
                measured_at=one.measured_at,
                url=f"{reverse('monitor:ddm_space')}?storage={one.name}&days={days}",
            )
        )
    return found
