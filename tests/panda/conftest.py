"""Each test begins with nobody counted; some with a shelf of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def nobody_has_called(broker: object) -> None:
    """The broker counts who calls too often."""


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """A shelf of this test."""
    settings.PANDASITE_SANDBOXES = str(tmp_path / "sandboxes")
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_FREE_MB": 0}
    return tmp_path / "sandboxes"


@pytest.fixture
def jdoe(db: None) -> str:
    """The token of the client of whom the samples are."""
    from jobs import identity
    from tests.builders import create_user  # this file is read before Django is set up

    return identity.client_token(create_user("jdoe"), days=1)
