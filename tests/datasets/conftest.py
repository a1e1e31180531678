"""Two sources and a destination, each a folder of its own.

Imports are inside: this file is read before Django is set up.
"""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def disks(db: None, tmp_path: Path) -> list[Any]:
    from tests.datasets.disks import create_disk

    return [create_disk(tmp_path, name) for name in ("bnl", "cern", "aglt2")]
