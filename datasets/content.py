"""The content of files at storage elements, for who is not the engine: read, write, remove."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

from datasets import services
from datasets.models import File, StorageElement
from datasets.storage import Copied, StorageError, open_place, path_of, settle
from datasets.storage.base import Arrival
from datasets.storage.copying import give_up, mismatch, unsettled

__all__ = ["Proven", "Reading", "StorageError", "Wrong", "path_of"]


class Wrong(Exception):
    """What came is not what was announced; the text says what."""


def path(file: File) -> str:
    """Where it lies below the address of every storage element."""
    return path_of(file.scope, file.lfn)


class Reading:
    """The content of a stored file in pieces. SourceError at once when it cannot be opened."""

    def __init__(self, storage: StorageElement, path: str) -> None:
        self._open = ExitStack()
        self._pieces = self._open.enter_context(open_place(storage.address).read(path))

    def __iter__(self) -> Iterator[bytes]:
        with self._open:
            yield from self._pieces

    def close(self) -> None:
        """Hang up; who answers a request with it calls this at the end."""
        self._open.close()


class Proven:
    """The content of a replica, whose last piece is given only when all is as the catalogue says.

    Else it ends with Wrong: at once when it is no more than a piece. A replica that by the
    storage's own account has just this content is bad from then on, so that who asks again gets
    another one.
    """

    def __init__(self, storage: StorageElement, file: File) -> None:
        self.storage, self.file = storage, file
        self.reading = Reading(storage, path(file))
        self._pieces = self._checked()
        with ExitStack() as unless_it_begins:
            unless_it_begins.callback(self.reading.close)
            self._first = next(self._pieces)
            unless_it_begins.pop_all()

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._pieces

    def _checked(self) -> Generator[bytes, None, None]:
        held, size, adler = b"", 0, 1
        for piece in self.reading:
            if held:
                yield held
            held, size, adler = piece, size + len(piece), zlib.adler32(piece, adler)
            if size > self.file.size:
                break
        found = Copied(size=size, adler32=f"{adler:08x}")
        if wrong := mismatch(found, Copied(size=self.file.size, adler32=self.file.adler32)):
            self._blame(wrong, size)
        yield held

    def _blame(self, wrong: str, size: int) -> None:
        says = size_of(self.storage, path(self.file))
        if says is not None and (says == size or says > size > self.file.size):
            services.mark_bad(self.file, self.storage, wrong)
        raise Wrong(f"{self.file} at {self.storage.name}: {wrong}")

    def close(self) -> None:
        """As that of a Reading."""
        self._pieces.close()
        self.reading.close()


@contextmanager
def arriving(
    storage: StorageElement, path: str, pieces: Iterator[bytes], *, size: int, adler32: str
) -> Iterator[Callable[[], None]]:
    """Store it under a name that nobody sees; the function that is given names it.

    Raises Wrong when it is not what was announced, StorageError. Not named, it is removed.
    """
    expected = Copied(size=size, adler32=adler32)
    tag = f"t0.{secrets.randbelow(10**12)}"  # like a transfer's, so that leftovers are known
    arrival = open_place(storage.address).arrive(path, tag=tag, expected=expected)
    try:
        arrival.fill(_checked(pieces, size=size, adler32=adler32))
        arrival.prove(expected)
        yield lambda: _publish(arrival)
    finally:
        give_up(arrival)


def _publish(arrival: Arrival) -> None:
    """Name it, and see it to the disk before it is in the catalogue."""
    arrival.publish()
    left = unsettled(arrival)
    for refusal in settle([left] if left else []).values():
        raise refusal


def _checked(pieces: Iterator[bytes], *, size: int, adler32: str) -> Iterator[bytes]:
    """The pieces; the last one is given on only when all of them are as announced."""
    came, adler, held = 0, 1, b""
    for piece in pieces:
        came += len(piece)
        if came > size:
            raise Wrong(f"more than the {size} bytes announced came")
        adler = zlib.adler32(piece, adler)
        if held:
            yield held
        held = piece
    if came != size:
        raise Wrong(f"{came} bytes came, {size} were announced")
    if f"{adler:08x}" != adler32:
        raise Wrong(f"what came has adler32 {adler:08x}, {adler32} was announced")
    yield held


def size_of(storage: StorageElement, path: str) -> int | None:
    """Bytes of a stored file, None where there is none; StorageError when it cannot be asked."""
    return open_place(storage.address).size(path)


def remove(storage: StorageElement, path: str) -> None:
    """Remove a stored file; one that is not there is no error. StorageError when it stays."""
    open_place(storage.address).remove(path)
