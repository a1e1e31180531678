"""Which tests a worker takes together, in which order they are begun, and how all are read.

The tests are shared out by file, since the fixtures of a module are dear. Those that start whole
sites go to one worker: they wait for most of their time, and are less in each other's way one after
the other. What takes long is begun first, so that no worker is left with it at the end.

In a fresh clone pytest compiles each module of tests, with its asserts written anew. Workers that
collect at the same time would each do so for all of them: here each begins with another part, and
finds the others' compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

SITES = ("tests/flow/", "tests/scale/", "tests/base/test_up.py")
LONG = (
    "tests/monitor/catalogue/test_data_browser.py",
    "tests/monitor/test_browser_sums.py",
    "tests/jobs/test_history.py",
    "tests/api/test_schema.py",
    "tests/tasks_engine/test_crashes.py",
    "tests/pilot/",
    "tests/demo/",
)


class InOneGo(LoadFileScheduling):
    """By file, and all sites together; begun in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return "sites" if nodeid.startswith(SITES) else str(super()._split_scope(nodeid))


def place(item: pytest.Item) -> int:
    """Sites, what takes long, other tests with a browser, the rest."""
    if item.nodeid.startswith(SITES):
        return 0
    if item.nodeid.startswith(LONG):
        return 1
    return 2 if "_browser" in item.path.name else 3


def names_below(folder: Path) -> list[str]:
    """The modules of tests in a package, by their names."""
    files = sorted(folder.rglob("test_*.py"))
    return [".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in files]


def in_turn(names: Sequence[str], *, worker: int, workers: int) -> list[str]:
    """All of them, beginning where no other worker does."""
    first = worker * len(names) // workers
    return [*names[first:], *names[:first]]


def read(names: Sequence[str]) -> None:
    """Have them imported before they are collected."""
    for name in names:
        # Whatever is wrong with it, the collection says so of this module.
        with suppress(Exception, pytest.skip.Exception):
            import_module(name)
