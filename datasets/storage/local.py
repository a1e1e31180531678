"""file://: a folder of this machine, or one that is mounted here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO, TypeVar

from datasets.storage import patience, tape
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
    words,
)
from datasets.storage.local_arrival import LocalArrival, unwritable

T = TypeVar("T")


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

    def call(
        self, path: str, do: Callable[[], T], *, late: Callable[[T | None], object] | None = None
    ) -> T:
        """Ask the file system, which may hang: then it is an OSError, as any other refusal."""
        return patience.patiently(self.root, path, do, late=late)

    @contextmanager
    def read(self, path: str, *, offset: int = 0) -> Iterator[Iterator[bytes]]:
        with self.open(path) as file:
            file.seek(offset)
            yield self.pieces(path, file)

    def pieces(self, path: str, file: BinaryIO) -> Iterator[bytes]:
        """The content, piece by piece; its errors are told from those of a destination."""
        while True:
            try:
                piece = self.call(path, lambda: file.read(CHUNK), late=lambda _: file.close())
            except OSError as error:
                raise SourceError(f"reading at {self.address} broke off: {words(error)}") from error
            if not piece:
                return
            yield piece

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The file itself, for who can do more with it than read."""
        full = self.full(path)
        try:
            if self.address.tape and not self.call(path, lambda: tape.is_staged(self.root, path)):
                raise NotStaged(f"{path} is on tape at {self.address}, not staged")
            file = self.call(path, lambda: _open(full), late=_close)
        except FileNotFoundError as error:
            kind = FileMissing if self._shows_scope(path) else SourceError
            raise kind(f"cannot read at {self.address}: {words(error)}") from error
        except OSError as error:
            raise SourceError(f"cannot read at {self.address}: {words(error)}") from error
        try:
            yield file
        finally:
            with suppress(OSError):  # left behind where it hangs
                self.call(path, file.close)

    def _shows_scope(self, path: str) -> bool:
        """Whether the folder of the file's scope is there: a mount that is away looks empty."""
        scope = f"{self.root}/{path.partition('/')[0]}"
        with suppress(OSError):
            return self.call(path, lambda: os.path.isdir(scope))
        return False

    def size(self, path: str) -> int | None:
        full = self.full(path)
        try:
            return self.call(path, lambda: os.stat(full).st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read at {self.address}: {words(error)}") from error

    def arrive(self, path: str, *, tag: str, expected: Copied) -> LocalArrival:
        try:
            return LocalArrival(self, path, tag)
        except OSError as error:
            raise unwritable(self.address, error) from error

    def discard_old(self, path: str) -> None:
        folder = os.path.dirname(self.full(path))

        def discard() -> None:
            for name in os.listdir(folder):
                if name.startswith(".") and is_part_of(name, path):
                    os.unlink(f"{folder}/{name}")

        try:
            self.call(path, discard)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self.address, error) from error

    def remove(self, path: str) -> None:
        full = self.full(path)
        try:
            self.call(path, lambda: os.unlink(full))
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self.address, error) from error

    def stage(self, paths: Sequence[str], *, now: float) -> str:
        for path in paths:
            try:
                self.call(path, partial(tape.request, self.root, path, now=now))
            except OSError as error:
                raise unwritable(self.address, error) from error
        return ""

    def staged(
        self, paths: Sequence[str], *, ticket: str, now: float
    ) -> dict[str, tuple[Stage, str]]:
        try:
            return {
                path: self.call(path, partial(tape.look, self.root, path, now=now))
                for path in paths
            }
        except OSError as error:
            raise StorageError(f"cannot read at {self.address}: {words(error)}") from error

    def space(self) -> Space | None:
        try:
            found = self.call("", lambda: shutil.disk_usage(self.root))
        except OSError as error:
            raise StorageError(f"cannot read at {self.address}: {words(error)}") from error
        return Space(capacity=found.total, used=found.total - found.free, said_by="disk")


def _open(full: str) -> BinaryIO:
    return open(full, "rb", buffering=0)


def _close(file: BinaryIO | None) -> None:
    if file is not None:
        file.close()
