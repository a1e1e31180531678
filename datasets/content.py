"""The content of files at storage elements, for who is not the engine."""

from __future__ import annotations

import os
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from datasets import storage as stores
from datasets.models import File, StorageElement
from datasets.storage import FileMissing, SourceError, StorageError, path_of

__all__ = ["Entry", "FileMissing", "SourceError", "StorageError", "Wrong", "path_of"]

PIECE = 1024 * 1024  # bytes in memory


class Wrong(Exception):
    """What came is not what was announced; the text says what."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What lies in a folder: its name, whether it is a folder, bytes and time (s) of a file."""

    name: str
    is_folder: bool
    size: int = 0
    changed: float = 0.0


def path(file: File) -> str:
    """Where it lies below the address of every storage element."""
    return path_of(file.scope, file.lfn)


def read(storage: StorageElement, path: str) -> Iterator[bytes]:
    """The content in pieces; SourceError at once when it cannot be opened."""
    filesystem, root = stores.open_storage(storage.url)
    try:
        reader = filesystem.open(f"{root}/{path}", "rb")
    except FileNotFoundError as error:
        raise FileMissing(f"{storage.name} does not have it") from error
    except OSError as error:
        raise SourceError(f"{storage.name}: {error.strerror or error}") from error
    return _pieces(reader, storage)


def _pieces(reader: Any, storage: StorageElement) -> Iterator[bytes]:
    with reader:
        while True:
            try:
                piece = reader.read(PIECE)
            except OSError as error:
                raise SourceError(f"{storage.name}: {error.strerror or error}") from error
            if not piece:
                return
            yield piece


@contextmanager
def arriving(
    storage: StorageElement, path: str, pieces: Iterator[bytes], *, size: int, adler32: str
) -> Iterator[Callable[[], None]]:
    """Store it under a name that nobody sees; the function that is given names it.

    Raises Wrong when it is not what was announced, StorageError. Not named, it is removed.
    """
    filesystem, root = stores.open_storage(storage.url)
    tag = f"u{uuid.uuid4().hex}"
    folder, _, name = path.rpartition("/")
    part = f"{root}/{folder}/.{name[:200]}.{tag}.part"  # as publish and discard call it
    try:
        try:
            filesystem.makedirs(f"{root}/{folder}", exist_ok=True)
            with filesystem.open(part, "wb") as writer:
                _fill(writer.write, pieces, size=size, adler32=adler32)
        except OSError as error:
            raise StorageError(f"{storage.name}: {error.strerror or error}") from error
        yield lambda: stores.publish(storage.url, path, tag=tag)
    finally:
        with suppress(StorageError):
            stores.discard(storage.url, path, tag=tag)


def _fill(
    take: Callable[[bytes], object], pieces: Iterator[bytes], *, size: int, adler32: str
) -> None:
    came, adler = 0, 1
    for piece in pieces:
        came += len(piece)
        if came > size:
            raise Wrong(f"more than the {size} bytes announced came")
        adler = zlib.adler32(piece, adler)
        take(piece)
    if came != size:
        raise Wrong(f"{came} bytes came, {size} were announced")
    if f"{adler:08x}" != adler32:
        raise Wrong(f"what came has adler32 {adler:08x}, {adler32} was announced")


def size_of(storage: StorageElement, path: str) -> int | None:
    """Bytes of a stored file, None where there is none; StorageError when it cannot be asked."""
    filesystem, root = stores.open_storage(storage.url)
    try:
        return int(filesystem.size(f"{root}/{path}"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{storage.name}: {error.strerror or error}") from error


def remove(storage: StorageElement, path: str) -> None:
    """Remove a stored file; one that is not there is no error. StorageError when it stays."""
    filesystem, root = stores.open_storage(storage.url)
    try:
        filesystem.rm_file(f"{root}/{path}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{storage.name}: {error.strerror or error}") from error


def entries(storage: StorageElement, folder: str) -> list[Entry]:
    """What lies in a folder below the address, by name; StorageError when it cannot be listed."""
    filesystem, root = stores.open_storage(storage.url)
    where = f"{root}/{folder}".rstrip("/")
    try:
        found = filesystem.ls(where, detail=True)
    except OSError as error:
        raise StorageError(f"{storage.name}: {error.strerror or error}") from error
    listed = [_entry(one) for one in found]
    return sorted(listed, key=lambda one: one.name)


def _entry(info: dict[str, Any]) -> Entry:
    changed = info.get("mtime") or info.get("modified") or info.get("LastModified") or 0.0
    return Entry(
        name=os.path.basename(info["name"].rstrip("/")),
        is_folder=info["type"] == "directory",
        size=int(info.get("size") or 0),
        changed=changed.timestamp() if hasattr(changed, "timestamp") else float(changed),
    )
