"""Files at storage elements, through fsspec: where a file lies, copying with proof, removal."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

CHUNK = 4 * 1024 * 1024  # bytes in memory per copy
PROTOCOLS = frozenset({"file"})  # what a storage element's address may start with today


class StorageError(Exception):
    """A storage element refused or broke off; the text says what and where."""


class SourceError(StorageError):
    """The source has no good copy: another replica has to serve."""


class FileMissing(SourceError):
    """The source is there and answers, but has no such file."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What arrived: bytes and adler32 (8 hex digits)."""

    size: int
    adler32: str


def path_of(scope: str, lfn: str) -> str:
    """Where a file lies below a storage element's address: the same at every element.

    It is the deterministic path of Rucio, which PanDA's own pilots make for themselves: the parts
    of the scope, and two levels of a hash that keep folders small. Scope and LFN are checked names,
    never paths.
    """
    digest = hashlib.md5(f"{scope}:{lfn}".encode(), usedforsecurity=False).hexdigest()
    parts = [part for part in scope.split(".") if part]
    return "/".join([*parts, digest[:2], digest[2:4], lfn])


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
    reader = _open_source(source_url, path)
    target, target_root = open_storage(destination_url)
    part = _part(target_root, path, tag)
    with reader:
        try:
            target.makedirs(os.path.dirname(part), exist_ok=True)
            with target.open(part, "wb") as writer:
                return _stream(_pieces(reader, source_url), writer, progress)
        except OSError as error:
            raise StorageError(f"cannot write at {destination_url}: {_words(error)}") from error


def _open_source(url: str, path: str) -> Any:
    try:
        source, root = open_storage(url)
        return source.open(f"{root}/{path}", "rb")
    except FileNotFoundError as error:
        kind = FileMissing if _shows_scope(url, path) else SourceError
        raise kind(f"cannot read at {url}: {_words(error)}") from error
    except (OSError, StorageError) as error:
        raise SourceError(f"cannot read at {url}: {_words(error)}") from error


def _shows_scope(url: str, path: str) -> bool:
    """Whether the folder of the file's scope is there: a mount that is away looks empty."""
    source, root = open_storage(url)
    try:
        return bool(source.exists(f"{root}/{path.partition('/')[0]}"))
    except OSError:
        return False


def _pieces(reader: Any, url: str) -> Iterator[bytes]:
    """The content, piece by piece; an error of the source is told from one of the destination."""
    while True:
        try:
            piece = reader.read(CHUNK)
        except OSError as error:
            raise SourceError(f"reading at {url} broke off: {_words(error)}") from error
        if not piece:
            return
        yield piece


def publish(destination_url: str, path: str, *, tag: str) -> None:
    """Give the part file of `copy` its name."""
    target, root = open_storage(destination_url)
    part, name = _part(root, path, tag), f"{root}/{path}"
    try:
        if isinstance(target, LocalFileSystem):
            os.replace(part, name)  # its mv would move into a folder of that name
            _sync_folders(root, path)
        else:
            target.mv(part, name)
    except OSError as error:
        raise StorageError(f"cannot name a file at {destination_url}: {_words(error)}") from error


def _sync_folders(root: str, path: str) -> None:
    """See the new name to the disk, and those of its folders, which may be new as well."""
    levels = path.split("/")[:-1]
    for depth in range(len(levels), -1, -1):
        handle = os.open("/".join([root, *levels[:depth]]) or "/", os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def discard(destination_url: str, path: str, *, tag: str) -> None:
    """Remove the part file, if there is one."""
    target, root = open_storage(destination_url)
    part = _part(root, path, tag)
    try:
        if target.exists(part):
            target.rm_file(part)
    except OSError as error:
        raise StorageError(f"cannot write at {destination_url}: {_words(error)}") from error


def discard_old(destination_url: str, path: str) -> None:
    """Remove what earlier copies of the file have left behind, whatever their tags."""
    target, root = open_storage(destination_url)
    folder, _, name = path.rpartition("/")
    old = re.compile(rf"\.{re.escape(name[:200])}\.t\d+\.\d+\.part")
    try:
        if not target.isdir(f"{root}/{folder}"):
            return
        for left in target.ls(f"{root}/{folder}", detail=False):
            if old.fullmatch(left.rpartition("/")[2]):
                target.rm_file(left)
    except OSError as error:
        raise StorageError(f"cannot write at {destination_url}: {_words(error)}") from error


def checksum(url: str, path: str) -> Copied | None:
    """Size and adler32 of a stored file, None where there is none."""
    filesystem, root = open_storage(url)
    if not filesystem.exists(f"{root}/{path}"):
        return None
    with filesystem.open(f"{root}/{path}", "rb") as reader:
        return _stream(_pieces(reader, url), None, lambda _bytes: None)


def _part(root: str, path: str, tag: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{root}/{folder}/.{name[:200]}.{tag}.part"


def _stream(pieces: Iterable[bytes], writer: Any, progress: Callable[[int], None]) -> Copied:
    size, adler = 0, 1
    for piece in pieces:
        if writer is not None:
            writer.write(piece)
        size += len(piece)
        adler = zlib.adler32(piece, adler)
        progress(size)
    if writer is not None:
        writer.flush()
        _to_disk(writer)
    return Copied(size=size, adler32=f"{adler:08x}")


def _to_disk(writer: object) -> None:
    """An acknowledged replica survives a power cut: a local file is synced before its name."""
    handle = getattr(writer, "f", None)
    if handle is not None and hasattr(handle, "fileno"):
        os.fsync(handle.fileno())


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
