"""What is in a log tarball, and the text of one member: read from storage, within bounds.

A tarball comes from a worker node: it may be damaged, or blow up when it is unpacked. It is read as
a stream, nothing is written, and the reader stops at MOST_BYTES.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from monitor.logs import Opened

MOST_BYTES = 128 * 1024 * 1024  # unpacked, looked through for one page
MOST_MEMBERS = 2000
PART = 64 * 1024  # bytes of a member on one page
DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, OSError)


class TooBig(Exception):
    """More than MOST_BYTES have been unpacked."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file in the tarball; `size` in bytes."""

    name: str
    size: int


@dataclass
class Contents:
    """The members that were read; `stopped` says why not all were."""

    members: list[Member] = field(default_factory=list)
    stopped: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A part of a member: bytes `start` to `end` of `size` as text."""

    name: str
    size: int
    start: int
    end: int
    text: str
    binary: bool = False

    @property
    def earlier(self) -> int | None:
        """Where the part in front of this one starts."""
        return max(self.start - PART, 0) if self.start else None

    @property
    def later(self) -> int | None:
        return self.end if self.end < self.size else None


class _Bounded:
    """A reader that gives up behind MOST_BYTES."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream, self._left = stream, most

    def read(self, n: int = -1) -> bytes:
        piece = self._stream.read(min(n, self._left + 1) if n >= 0 else self._left + 1)
        self._left -= len(piece)
        if self._left < 0:
            raise TooBig
        return piece


@contextmanager
def _tarball(opened: Opened) -> Iterator[tarfile.TarFile]:
    with opened.handle, gzip.GzipFile(fileobj=opened.handle) as unpacked:
        stream: Any = _Bounded(unpacked, MOST_BYTES)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            yield tar


def contents(opened: Opened) -> Contents:
    """The files in the tarball, in its order."""
    found = Contents()
    try:
        with _tarball(opened) as tar:
            for info in tar:
                if len(found.members) == MOST_MEMBERS:
                    found.stopped = f"it has more than {MOST_MEMBERS:,} files"
                    break
                if info.isreg():
                    found.members.append(Member(name=info.name, size=info.size))
    except TooBig:
        found.stopped = f"only its first {MOST_BYTES // 1024**2} MiB were looked through"
    except DAMAGED as error:
        found.stopped = f"the tarball is damaged: {error or type(error).__name__}"
    return found


def text_of(opened: Opened, name: str, start: int | None) -> Text | str:
    """PART bytes of a member from `start` on, or its end (None); a sentence when it cannot be."""
    try:
        with _tarball(opened) as tar:
            for info in tar:
                if info.isreg() and info.name == name:
                    member = tar.extractfile(info)
                    assert member is not None  # a regular file has contents
                    return _part(member, info, start)
    except TooBig:
        return f"{name} lies behind the first {MOST_BYTES // 1024**2} MiB: download the log"
    except DAMAGED as error:
        return f"the tarball is damaged: {error or type(error).__name__}"
    return f"the log has no file {name}"


def _part(member: IO[bytes], info: tarfile.TarInfo, start: int | None) -> Text:
    begin = max(info.size - PART, 0) if start is None else min(start, info.size)
    skipped = 0
    while skipped < begin and (piece := member.read(min(PART, begin - skipped))):
        skipped += len(piece)  # a stream cannot be sought in
    raw = member.read(PART)
    return Text(
        name=info.name,
        size=info.size,
        start=begin,
        end=begin + len(raw),
        text=raw.decode("utf-8", errors="replace"),
        binary=b"\0" in raw,
    )


def first_text(members: Sequence[Member]) -> str:
    """What to show when nobody has chosen: what people look for first, where it is there."""
    for wanted in ("stderr", "stdout", "pilotlog", ".log", ".txt"):
        for member in members:
            if wanted in member.name.lower() and member.size:
                return member.name
    return ""
