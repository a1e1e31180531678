"""A stored file as Python knows files: to be read from anywhere in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager

from datasets.storage.base import Address, FileMissing, Place, SourceError
from datasets.storage.opening import open_place


class StoredFile(io.RawIOBase):
    """Reads on from where it was sought; a storage elsewhere is asked anew after each seek.

    Errors of the storage are OSErrors here, as who reads a file expects.
    """

    def __init__(self, place: Place, path: str, size: int) -> None:
        super().__init__()
        self.place, self.path, self.size = place, path, size
        self.at = 0
        self.rest = b""
        self._answer: AbstractContextManager[Iterator[bytes]] | None = None
        self._pieces: Iterator[bytes] = iter(())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        to = max(0, start + offset)
        if to != self.at:
            self._hang_up()
            self.at = to
        return self.at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self.at >= self.size:
            return 0
        try:
            if self._answer is None:
                self._answer = self.place.read(self.path, offset=self.at)
                self._pieces = self._answer.__enter__()
            while not self.rest:
                self.rest = next(self._pieces, b"")
                if not self.rest:
                    return 0
        except SourceError as error:
            raise OSError(str(error)) from error
        n = min(len(buffer), len(self.rest))
        buffer[:n] = self.rest[:n]
        self.rest = self.rest[n:]
        self.at += n
        return n

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _hang_up(self) -> None:
        answer, self._answer, self.rest = self._answer, None, b""
        if answer is not None:
            answer.__exit__(None, None, None)


def open_file(address: Address, path: str) -> StoredFile:
    """A stored file, open for reading. StorageError when it is not to be had."""
    place = open_place(address)
    size = place.size(path)
    if size is None:
        raise FileMissing(f"cannot read at {address}: no such file")
    return StoredFile(place, path, size)
