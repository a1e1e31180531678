"""What is inside of a small file on disk: a picture, or histograms.

Files come from jobs, so they are read as what they may be and nothing else: a picture must begin
as PNG does, and of an .npz only flat arrays of numbers are read (no pickles), with a bound on each.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from datasets.models import File, Replica, StorageElement
from datasets.storage import Address, path_of
from monitor.catalogue import fetching
from monitor.catalogue.fetching import fetch
from pandasite.base.errors import NotThere

MOST_BYTES = 2_000_000  # of the file
MOST_BINS = 2000
LOCAL = "file://"
MOST_HOLDERS = 10
PNG = b"\x89PNG\r\n\x1a\n"
NPY = b"\x93NUMPY"
MOST_ARRAYS = 40
ENDS = ("_edges.npy", "_counts.npy")
# How numpy packs; others unpack a piece at once, however large it becomes.
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
# Of the head, a Python literal: it is searched and not evaluated.
DESCR = re.compile(r"'descr': '([<>|=]?\w{2,8})'")
SHAPE = re.compile(r"'shape': \((\d{1,9}),\)")
NUMBERS = {"<f8": "d", "<f4": "f", "<i8": "q", "<i4": "i", "<u8": "Q", "<u4": "I"}
KINDS = {".png": "image", ".npz": "histogram"}


def kind_of(lfn: str, size: int) -> str:
    """`image` or `histogram` by the name; '' for what is not shown."""
    return next((kind for end, kind in KINDS.items() if lfn.endswith(end)), "") * (
        size <= MOST_BYTES
    )


def holders(file: File) -> list[Address]:
    """Where a good replica is on disk; folders first, then in the order in which they came."""
    good = Replica.objects.filter(file=file, state=Replica.State.AVAILABLE)
    disks = good.filter(storage__kind=StorageElement.Kind.DISK).select_related("storage")
    found = [one.storage.address for one in disks.order_by("pk")[:MOST_HOLDERS]]
    return sorted(found, key=lambda address: not address.url.startswith(LOCAL))


def content(file: File, holders: Iterable[Address]) -> bytes:
    """The bytes of the file; NotThere when it is too large or no storage gives it in time."""
    if file.size > MOST_BYTES:
        raise NotThere(f"the file {file} has {file.size:,} bytes, at most {MOST_BYTES:,} are shown")
    found = fetch(holders, path_of(file.scope, file.lfn), most=MOST_BYTES)
    if found is None or len(found) != file.size:
        raise NotThere(f"no storage element gave {file} within {fetching.SECONDS:.0f} s")
    return found


def picture(file: File, holders: Iterable[Address]) -> bytes:
    """A PNG; NotThere for anything else."""
    found = content(file, holders)
    if not found.startswith(PNG):
        raise NotThere(f"the file {file} is no PNG picture")
    return found


def histograms(
    file: File, holders: Iterable[Address]
) -> dict[str, tuple[list[float], list[float]]]:
    """Edges and counts by name; empty when there is none inside. NotThere for a damaged file."""
    found = content(file, holders)
    try:
        with zipfile.ZipFile(io.BytesIO(found)) as archive:
            wanted = [one for one in archive.infolist() if one.filename.endswith(ENDS)]
            arrays = {
                one.filename.removesuffix(".npy"): _array(archive, one)
                for one in wanted[:MOST_ARRAYS]
            }
    except (zipfile.BadZipFile, zlib.error, ValueError, struct.error, EOFError, OSError) as error:
        raise NotThere(f"the file {file} is damaged or no .npz: {error}") from error
    return {
        name: (edges, counts)
        for name, edges, counts in _pairs(arrays)
        if len(edges) == len(counts) + 1 and counts
    }


def _pairs(arrays: Mapping[str, list[float]]) -> Iterable[tuple[str, list[float], list[float]]]:
    for key, edges in arrays.items():
        name = key.removesuffix("_edges")
        if key.endswith("_edges") and f"{name}_counts" in arrays:
            yield name, edges, arrays[f"{name}_counts"]


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> list[float]:
    """A flat array of numbers (numpy's format 1 and 2); empty when it is something else."""
    if info.compress_type not in PACKED or info.flag_bits & ENCRYPTED:
        raise ValueError(f"{info.filename} is packed as numpy never does")
    with archive.open(info) as member:
        raw = member.read(8 * (MOST_BINS + 1) + 4096)
    if raw[:6] != NPY:
        raise ValueError(f"{info.filename} is no array")
    length, at = struct.unpack_from("<H", raw, 8)[0], 10
    if raw[6] > 1:
        length, at = struct.unpack_from("<I", raw, 8)[0], 12
    head = raw[at : at + length].decode("latin-1")
    descr, shape = DESCR.search(head), SHAPE.search(head)
    letter = NUMBERS.get(descr[1]) if descr else None
    n = int(shape[1]) if shape else 0
    if letter is None or not 0 < n <= MOST_BINS + 1:
        return []
    numbers = [float(one) for one in struct.unpack_from(f"<{n}{letter}", raw, at + length)]
    return numbers if all(map(math.isfinite, numbers)) else []  # JSON has no word for the others


def drawn(edges: list[float], counts: list[float]) -> dict[str, Any]:
    """As plots.js draws bars: a category is the lower edge of its bin."""
    return {
        "unit": "entries",
        "categories": [f"{edge:.4g}" for edge in edges[:-1]],
        "series": [{"name": "entries", "values": counts}],
    }
