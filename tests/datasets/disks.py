"""Storage elements on a real disk, with real files in them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from datasets.models import File, Replica, StorageElement, Transfer
from datasets.storage import path_of
from pandasite.base.clock import database_now
from tests.builders import create_file, create_replica, create_storage, create_transfer

CONTENT = b"thirty thousand events of minimum bias\n" * 100


def create_disk(folder: Path, name: str) -> StorageElement:
    """A storage element whose files lie in `folder/name`."""
    (folder / name).mkdir()
    return create_storage(name, url=f"file://{folder / name}")


def root(disk: StorageElement) -> Path:
    return Path(disk.url.removeprefix("file://"))


def where(disk: StorageElement, file: File) -> Path:
    """The path of a file at a disk, whether it is there or not."""
    return root(disk) / path_of(file.scope, file.lfn)


def store(disk: StorageElement, file: File, content: bytes = CONTENT) -> Path:
    """Write `content` for a file at a disk and register the replica."""
    path = where(disk, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    create_replica(file, disk)
    return path


def known_file(content: bytes = CONTENT, **fields: Any) -> File:
    """A file of the catalogue that knows size and checksum of `content`."""
    return create_file(size=len(content), adler32=f"{zlib.adler32(content):08x}", **fields)


def fresh(transfer: Transfer) -> Transfer:
    return Transfer.objects.get(pk=transfer.pk)


def due(file: File, disk: StorageElement) -> Transfer:
    return create_transfer(file, disk, created_at=database_now())


def visible(disk: StorageElement) -> list[str]:
    """Names of all files at a disk that are no part files."""
    return sorted(p.name for p in root(disk).rglob("*") if p.is_file() and p.name[0] != ".")


def leftovers(disk: StorageElement) -> list[str]:
    """Names of part files at a disk."""
    return sorted(p.name for p in root(disk).rglob(".*.part"))


def replica(file: File, disk: StorageElement) -> Replica | None:
    return Replica.objects.filter(file=file, storage=disk).first()


def wait_over(transfer: Transfer) -> None:
    """As if the pause before the next try were over."""
    Transfer.objects.filter(pk=transfer.pk).update(next_try_at=database_now())
