"""Which of many wait for themselves in the end. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def circular(waits: Mapping[int, Collection[int]]) -> set[int]:
    """Those that lie on a circle, or wait for one that does: nobody would ever begin.

    >>> sorted(circular({1: {2}, 2: {1}, 3: {1}, 4: set(), 5: {4}}))
    [1, 2, 3]
    """
    left = {one: set(others) & waits.keys() for one, others in waits.items()}
    waited_for: dict[int, list[int]] = {one: [] for one in left}
    for one, others in left.items():
        for other in others:
            waited_for[other].append(one)
    free = [one for one, others in left.items() if not others]
    while free:
        done = free.pop()
        left.pop(done)
        for one in waited_for[done]:
            left[one].discard(done)
            if not left[one]:
                free.append(one)
    return set(left)
