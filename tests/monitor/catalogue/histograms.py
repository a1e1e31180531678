"""Files of histograms at a storage element, as the analysis programs write them."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

from datasets.models import Dataset, File, StorageElement
from datasets.storage import path_of
from tests.builders import (
    create_dataset,
    create_file,
    create_storage,
)


def stored(folder: Path, lfn: str, content: bytes) -> File:
    """A file at a storage element in the folder, and in the dataset `result`."""
    storage = StorageElement.objects.filter(name="DISK").first()
    storage = storage or create_storage("DISK", url=f"file://{folder}")
    dataset = Dataset.objects.filter(name="result").first() or create_dataset("result")
    file = create_file(lfn, at=[storage], dataset=dataset, size=len(content))
    path = folder / path_of(file.scope, file.lfn)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return file


def npy(numbers: list[float], *, descr: str = "<f8", shape: str = "") -> bytes:
    """An array as numpy writes it."""
    shape = shape or f"({len(numbers)},)"
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    body = struct.pack(f"<{len(numbers)}d", *numbers)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def npz(arrays: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED, end: str = ".npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}{end}", content)
    return buffer.getvalue()


def marked_encrypted(archive: bytes) -> bytes:
    """The same with the bit that says so, in the directory and in front of each member."""
    marked = bytearray(archive)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = -1
        while (where := archive.find(signature, where + 1)) >= 0:
            marked[where + at] |= 1
    return bytes(marked)


HISTOGRAM = {
    "pt_edges": npy([0.0, 0.5, 1.0]), "pt_counts": npy([3.0, 4.0]), "sample": npy([1.0]),
}  # fmt: skip
