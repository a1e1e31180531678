"""Bunches: jobs that ask for the same and are sent to one site together."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

Job = TypeVar("Job")


def bunches(
    jobs: Iterable[Job],
    *,
    key: Callable[[Job], Hashable],
    files: Callable[[Job], Collection[Hashable]],
    size: int,
) -> Iterator[list[Job]]:
    """Cut jobs into bunches of one ``key``, full at ``size`` jobs or ``size`` distinct files.

    The order of the jobs is kept within a key, and keys come in the order they are first met. The
    job whose files fill a bunch still belongs to it, so a job with many files is not left over.
    """
    alike: dict[Hashable, list[Job]] = {}
    for job in jobs:
        alike.setdefault(key(job), []).append(job)
    for group in alike.values():
        yield from _cut(group, files=files, size=size)


def _cut(
    group: Sequence[Job], *, files: Callable[[Job], Collection[Hashable]], size: int
) -> Iterator[list[Job]]:
    bunch: list[Job] = []
    names: set[Hashable] = set()
    for job in group:
        bunch.append(job)
        names.update(files(job))
        if len(bunch) >= size or len(names) >= size:
            yield bunch
            bunch, names = [], set()
    if bunch:
        yield bunch
