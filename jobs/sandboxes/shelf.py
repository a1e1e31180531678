"""The folder where sandboxes lie: PANDASITE_SANDBOXES, the same for all hosts.

One that arrives has a name that nobody sees; it gets its own when it is whole, and on the disk.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

from jobs.sandboxes.names import MB
from pandasite.base.errors import NoRoom, Unavailable

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PART: Final = ".part"
LOOK_BYTES: Final = 16 * MB  # how often it is looked whether there is still room


@dataclass(frozen=True, kw_only=True)
class Whole:
    """An archive that has arrived: where it is for now, its size and SHA-256."""

    path: Path
    size: int
    sha256: str


class Arrival:
    """An archive that is arriving. NoRoom when the disk is full, or nearly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._sum = hashlib.sha256()
        self._look_at = 0
        self._file: BinaryIO = open(path, "xb")  # noqa: SIM115 - `arriving` closes it

    def write(self, piece: bytes) -> None:
        """The next bytes."""
        if self.size >= self._look_at:
            must_have_room()
            self._look_at += LOOK_BYTES
        with _in_words():
            self._file.write(piece)
        self._sum.update(piece)
        self.size += len(piece)

    def end(self) -> Whole:
        """See it to the disk."""
        with _in_words():
            self._file.flush()
            os.fsync(self._file.fileno())
        return Whole(path=self.path, size=self.size, sha256=self._sum.hexdigest())

    def close(self) -> None:
        """Let go of the file, without a word where even that finds no room."""
        with contextlib.suppress(OSError):
            self._file.close()


def folder() -> Path:
    """Made when it is not there. Unavailable when that cannot be."""
    path = Path(settings.PANDASITE_SANDBOXES)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"no sandboxes are taken now: {error.strerror}") from error
    return path


def must_have_room() -> None:
    """NoRoom when the disk has less left than SANDBOX_FREE_MB."""
    least = settings.PANDASITE["SANDBOX_FREE_MB"] * MB
    if least and shutil.disk_usage(folder()).free < least:
        raise _no_room()


@contextmanager
def arriving() -> Iterator[Arrival]:
    """Room for an archive that arrives. Not named by then, it is removed."""
    with _in_words():
        arrival = Arrival(folder() / f".{uuid.uuid4().hex}{PART}")
    try:
        yield arrival
    finally:
        arrival.close()
        arrival.path.unlink(missing_ok=True)


def name_it(whole: Whole, name: str) -> None:
    """Give it its name, which is on the disk when this returns."""
    place = folder()
    with _in_words():
        os.replace(whole.path, place / name)
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_there(name: str) -> bool:
    """Whether it lies there."""
    return (folder() / name).is_file()


def open_one(name: str) -> BinaryIO | None:
    """The archive, None when it is not there."""
    try:
        return open(folder() / name, "rb")
    except FileNotFoundError:
        return None


def remove(name: str) -> None:
    """Take it away; one that is not there is no error."""
    (folder() / name).unlink(missing_ok=True)


def lying(*, since_before: dt.datetime) -> list[str]:
    """All that lies there and was written before, also what was never named."""
    before = since_before.timestamp()
    found = []
    with os.scandir(folder()) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < before:
                    found.append(entry.name)
    return found


def _no_room() -> NoRoom:
    return NoRoom("there is no room for a sandbox now: the disk of the server is full")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise _no_room() from error
        raise Unavailable(f"no sandboxes are taken now: {error.strerror}") from error
