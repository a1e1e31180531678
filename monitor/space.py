"""Space per storage element, as the sites of a cloud see it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from brokerage.models import Cloud
from datasets.models import GB, SiteStorage
from datasets.space import capacity_of
from jobs.facts import DEFAULT_THRESHOLD_GB, OTHER_THRESHOLD_GB

OLD_HOURS = 1  # an older measurement is marked
FULL_PERCENT = 95  # fuller than that needs attention


@dataclass(frozen=True, kw_only=True)
class SpaceLine:
    """A site's storage element: GB (10^9 bytes) free, when that was measured; None = never."""

    site: str
    storage: str
    role: str
    gb: float | None
    capacity_gb: float
    threshold_gb: float
    as_of: dt.datetime | None
    old: bool

    @property
    def text(self) -> str:
        """GB as the table shows them; empty where never measured."""
        if self.gb is None:
            return ""
        return f"{self.gb:.1f}" if self.gb < 10 else f"{self.gb:.0f}"

    @property
    def low(self) -> bool:
        """Less than brokerage asks for: no new jobs go to the site."""
        return self.gb is not None and self.gb < self.threshold_gb

    @property
    def used_permille(self) -> int:
        """How full it is, 0 to 1000, for the bar."""
        if self.gb is None or not self.capacity_gb:
            return 0
        return max(0, min(1000, round(1000 * (1 - self.gb / self.capacity_gb))))

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        return {
            "site": self.site,
            "storage": self.storage,
            "role": self.role,
            "gb": self.gb,
            "capacity_gb": self.capacity_gb,
            "threshold_gb": self.threshold_gb,
            "as_of": self.as_of,
        }


def space(links: Iterable[SiteStorage], *, cloud: Cloud, now: dt.datetime) -> list[SpaceLine]:
    """The storage of a cloud's sites, by site name; queues that share one are listed each."""
    mine = [link for link in links if link.site.cloud_id == cloud.pk]
    return [space_line(link, now=now) for link in sorted(mine, key=lambda link: link.site.name)]


def space_line(link: SiteStorage, *, now: dt.datetime) -> SpaceLine:
    """One storage element of one site."""
    storage, measured = link.storage, link.storage.measured_at
    default = DEFAULT_THRESHOLD_GB.get(link.site.tier, OTHER_THRESHOLD_GB)
    return SpaceLine(
        site=link.site.name,
        storage=storage.name,
        role=link.role,
        gb=storage.free_gb,
        capacity_gb=capacity_of(storage) / GB,
        threshold_gb=default if storage.threshold_gb is None else storage.threshold_gb,
        as_of=measured,
        old=measured is not None and now - measured > dt.timedelta(hours=OLD_HOURS),
    )
