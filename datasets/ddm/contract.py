"""What the product asks of a data management system. Names only: no rows cross this line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from datasets.registry import Name, NewFile

__all__ = [
    "Arrived",
    "DataManagement",
    "DdmError",
    "DdmLater",
    "DdmRefused",
    "Name",
    "NewFile",
    "Seen",
    "Wish",
]


class DdmError(Exception):
    """The DDM does not answer, or not sensibly: ask again later. The text says what it was."""


class DdmLater(DdmError):
    """It is there, and cannot do this now, as when a quota is used up: others may go on."""


class DdmRefused(DdmError):
    """It answered no, and would say so again: the wish is given up with this reason."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """All files of a dataset at a storage element; `priority`: more is sooner.

    `scope` is that of the dataset, `storage` the DDM's name of the element.
    """

    dataset: str
    storage: str
    scope: str = ""
    owner: str = ""
    activity: str = "production"
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A file that is whole at the wish's storage element: bytes, adler32 as 8 hex digits."""

    name: Name
    size: int
    adler32: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a wish so far. A file may be told again and again.

    `failed`: why a file did not come; the DDM may still bring it. `over`: it has given the rest
    up, for this reason.
    """

    arrived: Sequence[Arrived] = ()
    failed: Mapping[Name, str] | None = None
    over: str = ""


class DataManagement(Protocol):
    """A system that knows datasets and files and moves them. Each verb may be repeated.

    Storage elements have the names that the system knows them by. Calls are made outside of
    transactions; each returns within ten seconds. DdmError when it is away, DdmLater when this has
    to wait, DdmRefused when it says no.
    """

    def register(
        self,
        dataset: str,
        files: Sequence[NewFile],
        *,
        scope: str,
        replicas: Mapping[Name, Sequence[str]],
    ) -> None:
        """Make the dataset known with these files, and the files where they are new.

        `replicas`: the storage elements where a file is known to be. A dataset may be told again
        and again, each time with more files.
        """

    def subscribe(self, wish: Wish) -> str:
        """Wish for it; returns how the DDM calls the wish (at most 64 characters)."""

    def cancel(self, reference: str, *, reason: str) -> None:
        """Wish for it no longer; one that is not known (any more) is no error."""

    def set_priority(self, reference: str, priority: int) -> None:
        """More or less urgent from now on."""

    def states(self, references: Collection[str]) -> Mapping[str, Seen]:
        """What became of these wishes, by reference; one that it does not know is left out, and
        so are the last ones when there is no time for all."""

    def replicas(self, names: Collection[Name]) -> Mapping[Name, Sequence[str]]:
        """The storage elements with a good replica, by name of the file."""
