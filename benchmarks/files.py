"""Files on disk and in the catalogue, queued to move: what the figures of transfers begin with."""

from __future__ import annotations

import zlib
from pathlib import Path

from benchmarks import fill
from benchmarks.bed import moment
from datasets.models import (
    Dataset,
    DatasetFile,
    File,
    Replica,
    StorageElement,
    Subscription,
    Transfer,
)

SCOPE = "moving"
LFN = "EVNT._{:06d}.root"
CHUNK = 4 * 2**20


def adler32_of(path: Path) -> str:
    adler = 1
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(CHUNK):
            adler = zlib.adler32(piece, adler)
    return f"{adler:08x}"


def write(path: Path, *pieces: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.writelines(pieces)


def queue(folder: Path, sizes: list[int], sums: list[str], *, datasets: int) -> None:
    """The files in the catalogue and in datasets, subscribed and queued from `from` to `to`."""
    now = moment()
    (folder / "to").mkdir(parents=True, exist_ok=True)
    source, target = (
        StorageElement.objects.create(name=name, url=f"file://{folder}/{name}")
        for name in ("from", "to")
    )
    files = File.objects.bulk_create(
        File(
            scope=SCOPE,
            lfn=LFN.format(nr),
            guid=fill.GUID,
            size=size,
            adler32=adler32,
            created_at=now,
        )
        for nr, (size, adler32) in enumerate(zip(sizes, sums, strict=True))
    )
    _in_datasets(files, source, target, datasets=datasets)


def _in_datasets(
    files: list[File], source: StorageElement, target: StorageElement, *, datasets: int
) -> None:
    now = moment()
    Replica.objects.bulk_create(Replica(file=f, storage=source, created_at=now) for f in files)
    blocks = Dataset.objects.bulk_create(
        Dataset(name=f"moving.{nr}", type="dispatch", created_at=now, state_changed_at=now)
        for nr in range(datasets)
    )
    DatasetFile.objects.bulk_create(
        DatasetFile(dataset=blocks[nr % datasets], file=file) for nr, file in enumerate(files)
    )
    Subscription.objects.bulk_create(
        Subscription(dataset=block, storage=target, created_at=now) for block in blocks
    )
    Transfer.objects.bulk_create(
        Transfer(file=file, destination=target, created_at=now, next_try_at=now) for file in files
    )
