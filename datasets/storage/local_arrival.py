"""A file on its way into a folder: under a hidden name until it is renamed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from datasets.storage import patience
from datasets.storage.base import (
    CHUNK,
    Address,
    Copied,
    SourceError,
    StorageError,
    part_name,
    words,
)
from datasets.storage.settling import Unsettled

if TYPE_CHECKING:
    from datasets.storage.local import LocalPlace


class LocalArrival:
    """A part file, renamed at the end."""

    def __init__(self, place: LocalPlace, path: str, tag: str) -> None:
        self.place, self.path = place, path
        part = self.part = place.full(part_name(path, tag))

        def drop(file: BinaryIO | None) -> None:
            if file is not None:
                _drop(file, part)

        self.file = place.call(path, lambda: _create(part), late=drop)

    def fill(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            try:
                self._write(piece)
            except OSError as error:
                raise unwritable(self.place.address, error) from error

    def _write(self, piece: bytes) -> None:
        def write() -> None:
            view = memoryview(piece)
            while view:
                view = view[self.file.write(view) :]

        self.place.call(self.path, write, late=self._drop)

    def take_over(self, source: BinaryIO) -> Iterator[int]:
        """Let the kernel copy a whole file; yields the bytes copied so far."""
        done = 0
        while True:
            try:
                moved = self._let_move(source, done)
            except OSError as error:
                raise unwritable(self.place.address, error) from error
            if not moved:
                return
            done += moved
            yield done

    def _let_move(self, source: BinaryIO, at: int) -> int:
        """A piece; SourceError when it is the source that cannot be read."""

        def move() -> int:
            return os.sendfile(self.file.fileno(), source.fileno(), at, CHUNK)

        try:
            return self.place.call(self.path, move, late=self._drop)
        except OSError as error:
            root = source.name.removesuffix(f"/{self.path}")
            look = partial(_look, source, at)
            try:
                patience.patiently(root, self.path, look, late=lambda _: source.close())
            except OSError as refusal:
                if isinstance(error, patience.Hangs):
                    error.blame(root)
                raise SourceError(
                    f"reading at file://{source.name} broke off: {words(refusal)}"
                ) from refusal
            raise

    def prove(self, expected: Copied) -> str:
        found = self._again(min(CHUNK, expected.size + 1))
        if found != expected:
            raise StorageError(
                f"what arrived at {self.place.address} is not what was sent: {found.size} bytes, "
                f"checksum {found.adler32}; {expected.size} and {expected.adler32} expected"
            )
        return "re-read"

    def _again(self, at_once: int) -> Copied:
        """What is there, read into one buffer of so many bytes."""
        buffer, size, adler = memoryview(bytearray(at_once)), 0, 1

        def read() -> int:
            return os.preadv(self.file.fileno(), [buffer], size)

        try:
            while n := self.place.call(self.path, read, late=self._drop):
                size += n
                adler = zlib.adler32(buffer[:n], adler)
        except OSError as error:
            words_ = f"reading at {self.place.address} broke off: {words(error)}"
            raise StorageError(words_) from error
        return Copied(size=size, adler32=f"{adler:08x}")

    @property
    def unsettled(self) -> Unsettled:
        """What a power cut could still take."""
        return Unsettled(self.place.root, self.path)

    def publish(self) -> None:
        name = self.place.full(self.path)

        def publish() -> None:
            self.file.close()
            os.replace(self.part, name)

        try:
            self.place.call(self.path, publish)
        except OSError as error:
            raise StorageError(
                f"cannot name a file at {self.place.address}: {words(error)}"
            ) from error

    def discard(self) -> None:
        """Remove it. Where a call hangs, the call does so when it comes back."""
        try:
            self.place.call(self.path, self._drop)
        except OSError as error:
            raise unwritable(self.place.address, error) from error

    def _drop(self, _brought: object = None) -> None:
        _drop(self.file, self.part)


def _look(source: BinaryIO, at: int) -> None:
    os.pread(source.fileno(), CHUNK, at)


def _drop(file: BinaryIO, part: str) -> None:
    file.close()
    with suppress(FileNotFoundError):
        os.unlink(part)


def _create(part: str) -> BinaryIO:
    try:
        return open(part, "w+b", buffering=0)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        return open(part, "w+b", buffering=0)


def unwritable(address: Address, error: OSError) -> StorageError:
    return StorageError(f"cannot write at {address}: {words(error)}")
