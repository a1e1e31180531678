"""Which tests a worker takes together, and in which order they are begun.

The tests are shared out by file, since the fixtures of a module are dear. Those that start whole
sites go to one worker: they wait for most of their time, and are less in each other's way one after
the other. What takes long is begun first, so that no worker is left with it at the end.
"""

from __future__ import annotations

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
