"""Each test begins with nobody counted."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nobody_has_called(broker: object) -> None:
    """The broker counts who calls too often."""
