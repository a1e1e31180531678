"""What all kinds of storage share: the words for what can happen, and what each has to offer."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

CHUNK = 4 * 1024 * 1024  # bytes in memory per copy, a few of these at most
PART = re.compile(r"\.(?P<name>.{1,200})\.t\d+\.\d+\.part", re.DOTALL)


class StorageError(Exception):
    """A storage element refused or broke off; the text says what and where."""


class SourceError(StorageError):
    """The source cannot be read now: another replica has to serve."""


class FileMissing(SourceError):
    """The source is there and answers, but has no such file."""


class BadContent(SourceError):
    """The source gave all that it has, and that is not what the catalogue says."""


class NotStaged(SourceError):
    """The file is on tape only."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What arrived: bytes and adler32 (8 hex digits)."""

    size: int
    adler32: str


@dataclass(frozen=True, kw_only=True)
class Address:
    """What an administrator has said of a storage element; `secret` is a name."""

    url: str
    endpoint: str = ""
    secret: str = ""
    tape: bool = False

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class Space:
    """Bytes there and bytes used, and who says so: `quota` or `disk`."""

    capacity: int
    used: int
    said_by: str


class Stage(StrEnum):
    """How far a file of a tape is."""

    REQUESTED = "requested"
    STAGED = "staged"
    FAILED = "failed"


class NoTape:
    """For places behind which no tape can be."""

    def stage(self, paths: Sequence[str], *, now: float) -> str:
        raise StorageError(f"staging of {paths[0]} is not supported by this protocol")

    def staged(
        self, paths: Sequence[str], *, ticket: str, now: float
    ) -> dict[str, tuple[Stage, str]]:
        return dict.fromkeys(paths, (Stage.FAILED, "staging is not supported by this protocol"))


class Arrival(Protocol):
    """A file on its way in: nobody sees it before it is published."""

    def fill(self, pieces: Iterator[bytes]) -> None:
        """Write it all. An error of the pieces themselves is raised as it is."""

    def prove(self, expected: Copied) -> str:
        """How it is known that these bytes have arrived; StorageError when they have not."""

    def publish(self) -> None:
        """Give it its name."""

    def discard(self) -> None:
        """Remove it; to be called twice is no error, nor after `publish`."""


class Place(Protocol):
    """An open storage element. Its methods raise StorageError and nothing else."""

    def read(self, path: str, *, offset: int = 0) -> AbstractContextManager[Iterator[bytes]]:
        """The content, piece by piece. FileMissing, NotStaged, SourceError."""

    def size(self, path: str) -> int | None:
        """Bytes of a file, None where there is none."""

    def arrive(self, path: str, *, tag: str, expected: Copied) -> Arrival:
        """Begin to write a file that is to be as `expected`, under a name that holds `tag`."""

    def discard_old(self, path: str) -> None:
        """Remove what earlier copies of the file have left behind, whatever their tags."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def stage(self, paths: Sequence[str], *, now: float) -> str:
        """Ask a tape for files; its name for the request. `now` in seconds since 1970."""

    def staged(
        self, paths: Sequence[str], *, ticket: str, now: float
    ) -> dict[str, tuple[Stage, str]]:
        """How far files are that a tape was asked for by this name, and what went wrong."""

    def space(self) -> Space | None:
        """Space as the storage itself tells; None when it does not."""


def path_of(scope: str, lfn: str) -> str:
    """Where a file lies below a storage element's address: the same at every element.

    It is the deterministic path of Rucio, which PanDA's own pilots make for themselves: the parts
    of the scope, and two levels of a hash that keep folders small. Scope and LFN are checked names,
    never paths.
    """
    digest = hashlib.md5(f"{scope}:{lfn}".encode(), usedforsecurity=False).hexdigest()
    parts = [part for part in scope.split(".") if part]
    return "/".join([*parts, digest[:2], digest[2:4], lfn])


def checked(path: str) -> str:
    """The path, which must stay below the root that it is joined to."""
    steps = path.split("/")
    if not path or any(step in ("", ".", "..") for step in steps) or _CONTROL.search(path):
        raise StorageError(f"{path[:80]!r} is no path below a storage element")
    return path


def summed(pieces: Iterator[bytes]) -> Copied:
    """Size and adler32 of what is read."""
    size, adler = 0, 1
    for piece in pieces:
        size += len(piece)
        adler = zlib.adler32(piece, adler)
    return Copied(size=size, adler32=f"{adler:08x}")


_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def part_name(path: str, tag: str) -> str:
    """Where a file lies until it is published: hidden, in the folder where it is going to be."""
    folder, _, name = checked(path).rpartition("/")
    return f"{folder}/.{name[:200]}.{tag}.part"


def is_part_of(name: str, path: str) -> bool:
    """Whether a file of this name is what a copy to `path` has left behind."""
    found = PART.fullmatch(name)
    return found is not None and found["name"] == path.rpartition("/")[2][:200]


def words(error: BaseException) -> str:
    """What an error says, cut."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:500]
