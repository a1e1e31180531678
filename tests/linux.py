"""Tests that only Linux can run: those of whole installations, which hurt processes on purpose."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest


def only_on_linux(items: Iterable[pytest.Item], *, below: Path, because: str) -> None:
    """Skip the tests below this folder elsewhere; `because` tells what only Linux has."""
    if sys.platform == "linux":
        return
    for item in items:
        if item.path.is_relative_to(below):
            item.add_marker(pytest.mark.skip(reason=f"only Linux {because}"))
