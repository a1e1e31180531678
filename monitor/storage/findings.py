"""What checks of a storage element have found and nobody has dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets.findings import SIGHTINGS
from datasets.models import StorageCheck, StorageElement, StorageFinding

SHOWN = 20  # of each kind
COUNTED = 10_000  # of each kind: more are said to be more
WORDS = {
    StorageFinding.Kind.LOST: "known to the catalogue, and not stored, or not whole",
    StorageFinding.Kind.DARK: "stored, and not known to the catalogue",
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Open findings of one kind: how many, how many of them were met by two checks, the first."""

    name: str
    words: str
    count: int
    confirmed: int
    shown: Sequence[StorageFinding]

    @property
    def is_cut(self) -> bool:
        return self.count > COUNTED

    @property
    def about(self) -> int:
        """At most COUNTED of them were counted."""
        return min(self.count, COUNTED)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How far the check of a storage element is, and what it has found."""

    check: StorageCheck | None
    kinds: Sequence[Kind]

    @property
    def is_running(self) -> bool:
        check = self.check
        return check is not None and not (check.folders_done and check.replicas_done)

    @property
    def is_clean(self) -> bool:
        """Whether a whole check has left nothing open."""
        done = self.check is not None and self.check.ended_at is not None
        return done and not any(kind.count for kind in self.kinds)

    def as_json(self) -> dict[str, Any]:
        """The facts; sizes in bytes, times in UTC."""
        check = self.check
        return {
            "last_whole_check": check and check.ended_at,
            "started_at": check and check.started_at,
            "running": self.is_running,
            "error": check.error if check else "",
            "files_seen": check and check.stored_seen,
            "replicas_seen": check and check.replicas_seen,
            **{kind.name: _kind_facts(kind) for kind in self.kinds},
        }


def _kind_facts(kind: Kind) -> dict[str, Any]:
    return {
        "count": kind.about,
        "more": kind.is_cut,
        "met_by_two_checks": min(kind.confirmed, COUNTED),
        "first": [
            {
                "path": one.path,
                "size": one.size,
                "checks": one.sightings,
                "first_seen_at": one.first_seen_at,
                "last_seen_at": one.last_seen_at,
                "said": one.resolution,
            }
            for one in kind.shown
        ],
    }


def read(storage: StorageElement) -> Checked:
    """The check of a storage element; the open findings are read by `finding_open_once`."""
    return Checked(
        check=StorageCheck.objects.filter(storage=storage).first(),
        kinds=[_kind(storage, name, words) for name, words in WORDS.items()],
    )


def _kind(storage: StorageElement, kind: StorageFinding.Kind, words: str) -> Kind:
    found = StorageFinding.objects.filter(storage=storage, kind=kind, resolved_at=None)
    return Kind(
        name=str(kind),
        words=words,
        count=found.order_by()[: COUNTED + 1].count(),
        confirmed=found.filter(sightings__gte=SIGHTINGS).order_by()[: COUNTED + 1].count(),
        shown=list(found.order_by("path")[:SHOWN]),
    )
