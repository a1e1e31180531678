"""Cutting a task's work into pieces: every event, or every file, in exactly one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

GB = 10**9
FILES_OF_SIZE = 500  # files in a piece that is cut by size alone
T = TypeVar("T")


class InFile(NamedTuple):
    """A file to read: its key, size in bytes, and events where they are known (0: not).

    `first`: 0 for a whole file, else the number of the first event of a part of it.
    """

    key: int
    size: int
    events: int = 0
    first: int = 0


class Events(NamedTuple):
    """A span of events, counted from 1."""

    first: int
    n: int


class Rule(NamedTuple):
    """How much input a piece has at most; 0 is no limit. Without any limit it is one file."""

    files: int = 0
    gb: float = 0
    events: int = 0

    @property
    def most_files(self) -> int:
        """The limit in files."""
        return self.files or (FILES_OF_SIZE if self.gb or self.events else 1)

    def holds(self, group: Sequence[InFile], file: InFile) -> bool:
        """Whether a piece of these files has room for that one as well."""
        if self.events and not _together(group, file, self.events):
            return False
        return not self.gb or sum(f.size for f in group) + file.size <= self.gb * GB

    def full(self, group: Sequence[InFile]) -> bool:
        """Whether a piece of these files has no room for any other."""
        if self.events and (group[-1].first or _events(group) >= self.events):
            return True
        size = sum(f.size for f in group)
        return len(group) == self.most_files or bool(self.gb and size >= self.gb * GB)


def _together(group: Sequence[InFile], file: InFile, most: int) -> bool:
    """Parts of files, and files whose events nobody knows, are alone."""
    if file.first or not file.events or not all(f.events for f in group):
        return False
    return _events(group) + file.events <= most


def _events(group: Sequence[InFile]) -> int:
    return sum(f.events for f in group)


def by_events(*, total: int, per_piece: int, cut: int, most: int) -> list[Events]:
    """The next spans of `per_piece` events behind the `cut` ones, the last may be smaller.

    >>> by_events(total=25, per_piece=10, cut=10, most=5)
    [Events(first=11, n=10), Events(first=21, n=5)]
    """
    firsts = range(cut, total, per_piece)
    return [Events(first + 1, min(per_piece, total - first)) for first in islice(firsts, most)]


def by_files(
    files: Sequence[InFile], rule: Rule, *, more_to_come: bool, most: int
) -> list[list[InFile]]:
    """Groups of these files in their order, each as large as the rule lets it be.

    A file that is larger than the rule's size is a piece of its own. While more files are to come,
    a last group that has room for another one is not cut.

    >>> files = [InFile(k, 4 * GB) for k in range(1, 6)]
    >>> [[f.key for f in group] for group in by_files(files, Rule(gb=8), more_to_come=True, most=9)]
    [[1, 2], [3, 4]]
    """
    groups: list[list[InFile]] = []
    group: list[InFile] = []
    for file in files:
        if len(groups) == most:
            return groups
        if group and not rule.holds(group, file):
            groups.append(group)
            group = []
        group.append(file)
        if rule.full(group):
            groups.append(group)
            group = []
    if group and not more_to_come:
        groups.append(group)
    return groups[:most]


def parts(file: InFile, per_piece: int) -> list[InFile]:
    """A file with more events than a piece may have, in parts; else the file itself.

    >>> [(part.first, part.events) for part in parts(InFile(1, 10, events=250), 100)]
    [(1, 100), (101, 100), (201, 50)]
    """
    if not per_piece or file.events <= per_piece:
        return [file]
    spans = by_events(total=file.events, per_piece=per_piece, cut=0, most=file.events)
    return [file._replace(first=span.first, events=span.n) for span in spans]


def events_of(group: Sequence[InFile]) -> int:
    """Of all files of a piece; 0 when one does not know."""
    return sum(f.events for f in group) if all(f.events for f in group) else 0


def in_turn(files: Sequence[T], *, serial: int, per_piece: int) -> list[T]:
    """The secondary files of the piece with that number: all of them in turn, again and again.

    >>> [in_turn("abc", serial=n, per_piece=2) for n in (1, 2, 3)]
    [['a', 'b'], ['c', 'a'], ['b', 'c']]
    """
    if not files:
        return []
    first = (serial - 1) * per_piece
    n = min(per_piece, len(files))  # a job reads a file once
    return [files[(first + i) % len(files)] for i in range(n)]
