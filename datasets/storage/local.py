"""file://: a folder of this machine, or one that is mounted here."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from datasets.storage import tape
from datasets.storage.base import (
    CHUNK,
    Address,
    Copied,
    FileMissing,
    NotStaged,
    SourceError,
    Space,
    Stage,
    StorageError,
    checked,
    is_part_of,
    part_name,
    words,
)
from datasets.storage.settling import Unsettled


class LocalPlace:
    """A folder. Who writes sees it to the disk when it is all there: see settling.py."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.root = address.url.removeprefix("file://").rstrip("/")
        if not self.root.startswith("/"):
            raise StorageError(f"{address} names no folder from the root on")

    def full(self, path: str) -> str:
        """The path on this machine."""
        return f"{self.root}/{checked(path)}"

    @contextmanager
    def read(self, path: str, *, offset: int = 0) -> Iterator[Iterator[bytes]]:
        with self.open(path) as file:
            file.seek(offset)
            yield _pieces(file, self.address)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The file itself, for who can do more with it than read."""
        if self.address.tape and not tape.is_staged(self.root, path):
            raise NotStaged(f"{path} is on tape at {self.address}, not staged")
        try:
            file = open(self.full(path), "rb", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError as error:
            kind = FileMissing if self._shows_scope(path) else SourceError
            raise kind(f"cannot read at {self.address}: {words(error)}") from error
        except OSError as error:
            raise SourceError(f"cannot read at {self.address}: {words(error)}") from error
        with file:
            yield file

    def _shows_scope(self, path: str) -> bool:
        """Whether the folder of the file's scope is there: a mount that is away looks empty."""
        return os.path.isdir(f"{self.root}/{path.partition('/')[0]}")

    def size(self, path: str) -> int | None:
        try:
            return os.stat(self.full(path)).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read at {self.address}: {words(error)}") from error

    def arrive(self, path: str, *, tag: str, expected: Copied) -> LocalArrival:
        try:
            return LocalArrival(self, path, tag)
        except OSError as error:
            raise _unwritable(self.address, error) from error

    def discard_old(self, path: str) -> None:
        folder = os.path.dirname(self.full(path))
        try:
            for name in os.listdir(folder):
                if name.startswith(".") and is_part_of(name, path):
                    os.unlink(f"{folder}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unwritable(self.address, error) from error

    def remove(self, path: str) -> None:
        try:
            os.unlink(self.full(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unwritable(self.address, error) from error

    def stage(self, path: str, *, now: float) -> None:
        tape.request(self.root, path, now=now)

    def staged(self, path: str, *, now: float) -> tuple[Stage, str]:
        return tape.look(self.root, path, now=now)

    def space(self) -> Space | None:
        try:
            found = shutil.disk_usage(self.root)
        except OSError as error:
            raise StorageError(f"cannot read at {self.address}: {words(error)}") from error
        return Space(capacity=found.total, used=found.total - found.free, said_by="disk")


class LocalArrival:
    """A part file, renamed at the end."""

    def __init__(self, place: LocalPlace, path: str, tag: str) -> None:
        self.place, self.path = place, path
        self.part = place.full(part_name(path, tag))
        self.file = _create(self.part)

    def fill(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            try:
                view = memoryview(piece)
                while view:
                    view = view[self.file.write(view) :]
            except OSError as error:
                raise _unwritable(self.place.address, error) from error

    def take_over(self, source: BinaryIO) -> Iterator[int]:
        """Let the kernel copy a whole file; yields the bytes copied so far."""
        done, out = 0, self.file.fileno()
        try:
            while moved := os.sendfile(out, source.fileno(), done, 16 * CHUNK):
                done += moved
                yield done
        except OSError as error:
            _check_source(source, done)
            raise _unwritable(self.place.address, error) from error

    def prove(self, expected: Copied) -> str:
        try:
            self.file.seek(0)
            found = summed(_pieces(self.file, self.place.address))
        except OSError as error:
            raise _unwritable(self.place.address, error) from error
        if found != expected:
            raise StorageError(
                f"what arrived at {self.place.address} is not what was sent: {found.size} bytes, "
                f"checksum {found.adler32}; {expected.size} and {expected.adler32} expected"
            )
        return "re-read"

    @property
    def unsettled(self) -> Unsettled:
        """What a power cut could still take."""
        return Unsettled(self.place.root, self.path)

    def publish(self) -> None:
        name = self.place.full(self.path)
        try:
            self.file.close()
            os.replace(self.part, name)
        except OSError as error:
            raise StorageError(
                f"cannot name a file at {self.place.address}: {words(error)}"
            ) from error

    def discard(self) -> None:
        self.file.close()
        try:
            with suppress(FileNotFoundError):
                os.unlink(self.part)
        except OSError as error:
            raise _unwritable(self.place.address, error) from error


def summed(pieces: Iterator[bytes]) -> Copied:
    """Size and adler32 of what is read."""
    size, adler = 0, 1
    for piece in pieces:
        size += len(piece)
        adler = zlib.adler32(piece, adler)
    return Copied(size=size, adler32=f"{adler:08x}")


def _check_source(source: BinaryIO, at: int) -> None:
    """Raises SourceError when it is the source that cannot be read from there on."""
    try:
        os.pread(source.fileno(), CHUNK, at)
    except OSError as error:
        raise SourceError(f"reading at file://{source.name} broke off: {words(error)}") from error


def _create(part: str) -> BinaryIO:
    try:
        return open(part, "w+b", buffering=0)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        return open(part, "w+b", buffering=0)


def _pieces(file: BinaryIO, address: Address) -> Iterator[bytes]:
    """The content, piece by piece; an error of the source is told from one of the destination."""
    while True:
        try:
            piece = file.read(CHUNK)
        except OSError as error:
            raise SourceError(f"reading at {address} broke off: {words(error)}") from error
        if not piece:
            return
        yield piece


def _unwritable(address: Address, error: OSError) -> StorageError:
    return StorageError(f"cannot write at {address}: {words(error)}")
