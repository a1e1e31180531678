"""Seeing files to the disk, many at a time: a power cut takes nothing that the catalogue has.

A file has its name before it is on the disk, which a killed worker does not matter to: the kernel
has it. It is entered in the catalogue after this. To wait for each file alone would be ten times
slower: the disk writes down together what is asked for together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from datasets.storage.base import StorageError, words

TOGETHER = 16  # threads that wait for the disk


@dataclass(frozen=True)
class Unsettled:
    """A file in a folder of this machine; `path` is below `root`."""

    root: str
    path: str

    @property
    def file(self) -> str:
        return f"{self.root}/{self.path}"

    @property
    def folders(self) -> list[str]:
        """Its folder and those above it, which may be new as well, up to the root."""
        levels = self.path.split("/")[:-1]
        return [
            "/".join([self.root, *levels[:depth]]) or "/" for depth in range(len(levels), -1, -1)
        ]


def settle(files: Collection[Unsettled]) -> dict[Unsettled, StorageError]:
    """See files, their names and their folders to the disk; those that it did not take."""
    synced = _all(_sync, (each.file for each in files))
    folders = _all(_sync, dict.fromkeys(folder for each in files for folder in each.folders))
    refused = {}
    for each in files:
        errors = [synced[each.file], *(folders[folder] for folder in each.folders)]
        if error := next(filter(None, errors), None):
            refused[each] = StorageError(f"cannot write at file://{each.root}: {words(error)}")
    return refused


def _all(do: Callable[[str], OSError | None], paths: Iterable[str]) -> dict[str, OSError | None]:
    wanted = list(paths)
    if len(wanted) < 2:
        return {path: do(path) for path in wanted}
    with ThreadPoolExecutor(min(TOGETHER, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(do, wanted), strict=True))


def _sync(path: str) -> OSError | None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        return error
    try:
        os.fsync(handle)
    except OSError as error:
        return error
    finally:
        os.close(handle)
    return None
