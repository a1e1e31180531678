"""Files of a dataset by storage element: where each is, is bad, or is on its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets.models import Dataset, File, Replica, Transfer
from datasets.states import ACTIVE_TRANSFERS, TransferState
from monitor import menu
from monitor.catalogue import preview

PLACES_SHOWN = 12  # columns


@dataclass(frozen=True, kw_only=True)
class Spot:
    """What of a file is at a storage element: `look` as a lamp, a word, and what is behind it.

    `error`: what went wrong, of a bad copy or of the last try.
    """

    look: str = ""
    word: str = ""
    title: str = ""
    error: str = ""


NOTHING = Spot()


@dataclass(kw_only=True)
class FileLine:
    """A row of the matrix."""

    file: File
    spots: list[Spot] = field(default_factory=list)
    preview: str = ""

    @property
    def url(self) -> str:
        """The page of the file; '' for a name that no address can have."""
        return menu.place("monitor:file", self.file.scope, self.file.lfn)

    def as_json(self, places: Sequence[str]) -> dict[str, Any]:
        """The facts; `at`: what is so at each storage element."""
        names = ("scope", "lfn", "guid", "size", "adler32", "events")
        at = {
            place: {"state": spot.word, "why": spot.title}
            for place, spot in zip(places, self.spots, strict=True)
            if spot.word
        }
        return {**{name: getattr(self.file, name) for name in names}, "at": at}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A file that is not at a storage element, or is bad there, and what is said of it."""

    line: FileLine
    storage: str
    spot: Spot


def troubles(lines: Sequence[FileLine], places: Sequence[str]) -> list[Trouble]:
    """Of these files; bad copies, and transfers of which a try has failed."""
    return [
        Trouble(line=line, storage=place, spot=spot)
        for line in lines
        for place, spot in zip(places, line.spots, strict=True)
        if spot.error
    ]


Spots = dict[tuple[int, str], Spot]


def read(dataset: Dataset, files: Sequence[File]) -> tuple[list[str], list[FileLine], int]:
    """The storage elements that have or want most of these files; their rows; how many more."""
    keys = [one.pk for one in files]
    spots = _moving(keys) | _bad(keys) | _there(keys)
    ranked = [name for name, _n in Counter(place for _key, place in spots).most_common()]
    wanted = dataset.subscriptions.order_by("pk").values_list("storage__name", flat=True)
    ranked += [name for name in wanted[:PLACES_SHOWN] if name not in ranked]
    places = sorted(ranked[:PLACES_SHOWN])
    lines = [
        FileLine(
            file=one,
            spots=[spots.get((one.pk, place), NOTHING) for place in places],
            preview=preview.kind_of(one.lfn, one.size),
        )
        for one in files
    ]
    return places, lines, max(0, len(ranked) - PLACES_SHOWN)


def _moving(keys: Sequence[int]) -> Spots:
    """Transfers that have not brought the file, the latest of each."""
    states = [*ACTIVE_TRANSFERS, TransferState.FAILED]
    moves = (
        Transfer.objects.filter(file__in=keys, state__in=states)
        .order_by("file_id", "destination_id", "-pk")
        .distinct("file_id", "destination_id")
    )
    return {
        (move.file_id, move.destination.name): Spot(
            look=f"transfer-{move.state}",
            word=move.state,
            title=(f"{move.attempts} tries" + (f": {move.error}" if move.error else ""))[:300],
            error=move.error[:300],
        )
        for move in moves.select_related("destination")
    }


def _replicas(keys: Sequence[int], state: str) -> list[Replica]:
    return list(Replica.objects.filter(file__in=keys, state=state).select_related("storage"))


def _bad(keys: Sequence[int]) -> Spots:
    return {
        (one.file_id, one.storage.name): Spot(
            look="replica-bad",
            word="bad",
            title=one.reason,
            error=one.reason or "bad",
        )
        for one in _replicas(keys, Replica.State.BAD)
    }


def _there(keys: Sequence[int]) -> Spots:
    return {
        (one.file_id, one.storage.name): Spot(look="replica-available", word="there")
        for one in _replicas(keys, Replica.State.AVAILABLE)
    }


def first_preview(lines: Sequence[FileLine]) -> FileLine | None:
    """A picture before a histogram, of the first few that may be shown."""
    wanted = [line for line in lines if line.preview]
    wanted.sort(key=lambda line: line.preview != "image")
    return next((line for line in wanted[:5] if preview.holders(line.file)), None)
