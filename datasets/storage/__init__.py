"""Files at storage elements of all kinds: where a file lies, copies with proof, space."""

from datasets.storage.base import (
    CHUNK,
    Address,
    BadContent,
    Copied,
    FileMissing,
    NotStaged,
    Place,
    SourceError,
    Space,
    StorageError,
    path_of,
    summed,
)
from datasets.storage.copying import Brought, Order, bring
from datasets.storage.opening import PROTOCOLS, close_places, open_place
from datasets.storage.reading import StoredFile, open_file
from datasets.storage.settling import Unsettled, settle

__all__ = [
    "CHUNK",
    "PROTOCOLS",
    "Address",
    "BadContent",
    "Brought",
    "Copied",
    "FileMissing",
    "NotStaged",
    "Order",
    "Place",
    "SourceError",
    "Space",
    "StorageError",
    "StoredFile",
    "Unsettled",
    "bring",
    "checksum",
    "close_places",
    "open_file",
    "open_place",
    "path_of",
    "settle",
]


def checksum(address: Address | str, path: str) -> Copied | None:
    """Size and adler32 of a stored file, None where there is none."""
    place = open_place(address)
    if place.size(path) is None:
        return None
    with place.read(path) as pieces:
        return summed(pieces)
