"""Rucio behind the interface, with a server that follows a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from datasets.ddm.rucio import Rucio
    from tests.datasets.ddm.scripted import Script
    from tests.datasets.servers import Raw


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    """One for all tests of a module: to end it takes longer than a test."""
    from tests.datasets.servers import Raw

    with Raw(None) as server:
        yield server


@pytest.fixture
def script(raw: Raw) -> Script:
    from tests.datasets.ddm.scripted import Script

    raw.answer = Script()
    return raw.answer


@pytest.fixture
def system(raw: Raw, script: Script, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Rucio:
    """Ours, which is impatient; its server follows the script."""
    from datasets.ddm.choice import RucioServer
    from datasets.ddm.rucio import Rucio

    settings.PANDASITE = settings.PANDASITE | {"DDM_CALL_SECONDS": 0.5}
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_RUCIO", "panda:canary-password")
    settings.PANDASITE_RUCIO = RucioServer(
        url=f"http://127.0.0.1:{raw.port}", account="panda", secret="rucio"
    )
    return Rucio()
