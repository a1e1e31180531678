"""The names that a submission gives, looked up once; and names close to those that are unknown."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import models

from brokerage.models import VO, Cloud, Release, Site
from datasets.models import StorageElement
from jobs.models import Transformation
from jobs.trf.programs import MAINS as OURS

NAMED: dict[str, type[models.Model]] = {
    "vo": VO,
    "cloud": Cloud,
    "site": Site,
    "destination_se": StorageElement,
}
# To compare one name with ten thousand takes a tenth of a second: the first faults get that help.
HINTS = 20


@dataclass(frozen=True)
class Catalogue:
    """Transformations by name, or by a beginning that ends in `*`. An empty one knows any.

    Those that the server itself brings are always known.
    """

    names: Sequence[str]

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        return tuple(name.removesuffix("*") for name in self.names if name.endswith("*"))

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset(self.names)

    def __contains__(self, name: object) -> bool:
        return (
            not self.names
            or name in self._whole
            or name in OURS
            or str(name).startswith(self._beginnings)
        )


@dataclass
class Nearest:
    """Names close to a wrong one. Each list of names is read once, and each name compared once."""

    left: int = HINTS
    known: dict[str, list[str]] = field(default_factory=dict)
    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def to(self, column: str, name: str) -> list[str]:
        """Up to three names of the same kind; none once HINTS names have been looked at."""
        if (column, name) not in self.found:
            if self.left == 0:
                return []
            self.left -= 1
            close = difflib.get_close_matches(name, self._known(column), n=3)
            self.found[column, name] = close
        return self.found[column, name]

    def _known(self, column: str) -> list[str]:
        if column not in self.known:
            self.known[column] = sorted(set(_all_names(column)))
        return self.known[column]


@dataclass(frozen=True)
class Names:
    """What the names of one submission stand for."""

    rows: dict[str, dict[str, Any]]  # field -> name -> row
    releases: frozenset[str]
    transformations: Catalogue
    nearest: Nearest = field(default_factory=Nearest)

    @cached_property
    def known(self) -> dict[str, Container[str]]:
        """What each field of a job may say."""
        return {
            **self.rows,
            "atlas_release": self.releases,
            "transformation": self.transformations,
        }

    @classmethod
    def of(cls, jobs: Sequence[dict[str, Any]]) -> Names:
        """One query for each kind of name."""
        return cls(
            rows={column: _rows(jobs, column, model) for column, model in NAMED.items()},
            releases=_releases(jobs),
            transformations=Catalogue(list(_all_names("transformation"))),
        )


def _rows(jobs: Sequence[dict[str, Any]], column: str, model: type[models.Model]) -> dict[str, Any]:
    wanted = {job[column] for job in jobs if job.get(column)}
    rows = model._default_manager.filter(name__in=wanted)
    if model is Site:
        rows = rows.select_related("cloud")
    return {row.name: row for row in rows}  # type: ignore[attr-defined]


def _releases(jobs: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Those of the named releases that the catalogue of releases knows."""
    wanted = {job["atlas_release"] for job in jobs if job["atlas_release"]}
    return frozenset(_all_names("atlas_release")) & wanted if wanted else frozenset()


def _all_names(column: str) -> Iterable[str]:
    if column == "atlas_release":
        return (release.atlas_release for release in Release.objects.all())
    model = Transformation if column == "transformation" else NAMED[column]
    return model._default_manager.values_list("name", flat=True)
