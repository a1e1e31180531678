"""Seeing files to the disk, many at a time: a power cut takes nothing that the catalogue has.

A file has its name before it is on the disk, which a killed worker does not matter to: the kernel
has it. It is entered in the catalogue after this. To wait for each file alone would be ten times
slower: the disk writes down together what is asked for together.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

from datasets.storage import patience
from datasets.storage.base import StorageError, words

TOGETHER = 16  # threads that wait for the disk
WRITES_DOWN = 10  # how many times as long as for any answer: what was written waits in memory


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
    synced = _all([(each.root, each.path, each.file) for each in files])
    folders = _all([(each.root, each.path, folder) for each in files for folder in each.folders])
    refused = {}
    for each in files:
        errors = [synced[each.file], *(folders[folder] for folder in each.folders)]
        if error := next(filter(None, errors), None):
            refused[each] = StorageError(f"cannot write at file://{each.root}: {words(error)}")
    return refused


def _all(wanted: Iterable[tuple[str, str, str]]) -> dict[str, OSError | None]:
    """What went wrong with each file or folder; a few are waited for at a time."""
    found: dict[str, OSError | None] = {}
    waiting: deque[tuple[str, Callable[[], None]]] = deque()
    for root, path, full in wanted:
        if full in found:
            continue
        found[full] = None
        try:
            call = patience.begin(root, path, partial(_sync, full))
        except OSError as error:
            found[full] = error
            continue
        waiting.append((full, partial(call.wait, WRITES_DOWN * patience.limit())))
        if len(waiting) == TOGETHER:
            _hear(found, *waiting.popleft())
    while waiting:
        _hear(found, *waiting.popleft())
    return found


def _hear(found: dict[str, OSError | None], full: str, wait: Callable[[], None]) -> None:
    try:
        wait()
    except OSError as error:
        found[full] = error


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
