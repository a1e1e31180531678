"""What stands above the list: categories with their counts, projects, and the matrix of storage."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from datasets.models import DatasetCategory, DatasetTally, SiteStorage, StorageElement
from datasets.sums import TALLY
from pandasite.base.models import Patrol

ALL = "All"
NO_CLOUD = "no cloud"
PROJECTS = 500


@dataclass(frozen=True, kw_only=True)
class CategoryLine:
    """A line of the table; counts are totals, exclusive of selections."""

    category: str
    count: int
    files: int
    size: int
    description: str

    @property
    def key(self) -> str:
        """As the address names it."""
        return "" if self.category == ALL else self.category

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        names = ("category", "count", "files", "size", "description")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Browser:
    """The catalogue at a glance."""

    categories: Sequence[CategoryLine]
    projects: Sequence[tuple[str, int]]  # the largest, by name
    clouds: Sequence[tuple[str, Sequence[str]]]  # cloud, its storage elements
    updated_at: dt.datetime | None

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        return {
            "updated_at": self.updated_at,
            "categories": [line.as_json() for line in self.categories],
            "projects": dict(self.projects),
            "storage": dict(self.clouds),
        }


def read() -> Browser:
    """Counts as the sweep left them."""
    patrol = Patrol.objects.filter(name=TALLY).first()
    return Browser(
        categories=_categories(),
        projects=_projects(),
        clouds=_clouds(),
        updated_at=patrol.news_until if patrol else None,
    )


def _sums(name: str) -> dict[str, dict[str, int]]:
    rows = DatasetTally.objects.order_by().values(name)
    summed = rows.annotate(n=Sum("datasets"), n_files=Sum("files"), bytes=Sum("size"))
    return {
        row[name]: {"count": int(row["n"]), "files": int(row["n_files"]), "size": int(row["bytes"])}
        for row in summed
    }


def _categories() -> list[CategoryLine]:
    sums, none = _sums("category"), {"count": 0, "files": 0, "size": 0}
    whole = {key: sum(one[key] for one in sums.values()) for key in none}
    known = dict(DatasetCategory.objects.values_list("name", "description"))
    names = [*known, *sorted(sums.keys() - known.keys())]
    lines = [
        CategoryLine(category=name, description=known.get(name, ""), **sums.get(name, none))
        for name in names
    ]
    return [CategoryLine(category=ALL, description="All datasets", **whole), *lines]


def _projects() -> list[tuple[str, int]]:
    ranked = sorted(_sums("project").items(), key=lambda item: (-item[1]["count"], item[0]))
    return sorted((name, one["count"]) for name, one in ranked[:PROJECTS])


def _clouds() -> list[tuple[str, list[str]]]:
    """A column for each cloud; an element that several clouds use stands in each."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    links = SiteStorage.objects.values_list("site__cloud__name", "storage__name")
    for cloud, storage in links:
        found[cloud].add(storage)
    placed = set().union(*found.values()) if found else set()
    rest = set(StorageElement.objects.values_list("name", flat=True)) - placed
    columns = [(cloud, sorted(names)) for cloud, names in sorted(found.items())]
    return [*columns, (NO_CLOUD, sorted(rest))] if rest else columns
