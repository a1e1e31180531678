"""Files at storage elements, through fsspec: where a file lies, copying with proof, removal."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import fsspec
from fsspec import AbstractFileSystem

CHUNK = 4 * 1024 * 1024  # bytes in memory per copy
PROTOCOLS = frozenset({"file"})  # what a storage element's address may start with today


class StorageError(Exception):
    """A storage element refused or broke off; the text says what and where."""


class SourceError(StorageError):
    """The source has no good copy: another replica has to serve."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What arrived: bytes and adler32 (8 hex digits)."""

    size: int
    adler32: str


def path_of(scope: str, lfn: str) -> str:
    """Where a file lies below a storage element's address: the same at every element.

    The two hash levels keep folders small; scope and LFN are checked names, never paths.
    """
    digest = hashlib.sha256(f"{scope}:{lfn}".encode()).hexdigest()
    return f"{scope}/{digest[:2]}/{digest[2:4]}/{lfn}"


def open_storage(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an address and its root path there."""
    protocol = url.partition("://")[0]
    if protocol not in PROTOCOLS:
        raise StorageError(f"protocol {protocol!r} is not one of {', '.join(sorted(PROTOCOLS))}")
    filesystem, root = fsspec.core.url_to_fs(url)
    return filesystem, root.rstrip("/")


def copy(
    source_url: str,
    destination_url: str,
    path: str,
    *,
    tag: str,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Copied:
    """Copy one file between storage elements; it appears at the destination whole or not at all.

    The bytes go to a part file named after `tag` (the same for each try, so that a killed
    copy leaves nothing behind a retry does not overwrite) and are renamed at the end by
    `publish`, which the caller does once size and checksum are what the catalogue says.
    """
    source, source_root = open_storage(source_url)
    target, target_root = open_storage(destination_url)
    part = _part(target_root, path, tag)
    try:
        target.makedirs(os.path.dirname(part), exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write at {destination_url}: {_words(error)}") from error
    try:
        reader = source.open(f"{source_root}/{path}", "rb")
    except OSError as error:
        raise SourceError(f"cannot read at {source_url}: {_words(error)}") from error
    try:
        with reader, target.open(part, "wb") as writer:
            copied = _stream(reader, writer, progress)
    except OSError as error:
        raise StorageError(f"copy to {destination_url} broke off: {_words(error)}") from error
    return copied


def publish(destination_url: str, path: str, *, tag: str) -> None:
    """Give the part file of `copy` its name."""
    target, root = open_storage(destination_url)
    target.mv(_part(root, path, tag), f"{root}/{path}")


def discard(destination_url: str, path: str, *, tag: str) -> None:
    """Remove the part file, if there is one."""
    target, root = open_storage(destination_url)
    part = _part(root, path, tag)
    if target.exists(part):
        target.rm_file(part)


def checksum(url: str, path: str) -> Copied | None:
    """Size and adler32 of a stored file, None where there is none."""
    filesystem, root = open_storage(url)
    if not filesystem.exists(f"{root}/{path}"):
        return None
    with filesystem.open(f"{root}/{path}", "rb") as reader:
        return _stream(reader, None, lambda _bytes: None)


def _part(root: str, path: str, tag: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{root}/{folder}/.{name[:200]}.{tag}.part"


def _stream(reader: object, writer: object | None, progress: Callable[[int], None]) -> Copied:
    size, adler = 0, 1
    while chunk := reader.read(CHUNK):  # type: ignore[attr-defined]
        if writer is not None:
            writer.write(chunk)  # type: ignore[attr-defined]
        size += len(chunk)
        adler = zlib.adler32(chunk, adler)
        progress(size)
    if writer is not None:
        writer.flush()  # type: ignore[attr-defined]
        _to_disk(writer)
    return Copied(size=size, adler32=f"{adler:08x}")


def _to_disk(writer: object) -> None:
    """An acknowledged replica survives a power cut: a local file is synced before its name."""
    handle = getattr(writer, "f", None)
    if handle is not None and hasattr(handle, "fileno"):
        os.fsync(handle.fileno())


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
