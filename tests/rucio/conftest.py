"""One Rucio server for all of these tests, with two storage elements that both sides know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.rucio.server import RucioServer
    from tests.rucio.sites import Sites

HERE = Path(__file__).parent
SECONDS = 900  # for the first test, which may install
ACCOUNT, USER, PASSWORD = "panda", "panda-user", "canary-panda-5d20"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the storage elements are, by their names in Rucio."""
    from tests.rucio.sites import FAR, NEAR

    return {name: tmp_path_factory.mktemp(name) for name in (FAR, NEAR)}


@pytest.fixture(scope="package")
def server(folders: dict[str, Path]) -> Iterator[RucioServer]:
    from tests.rucio.server import rucio_server

    with rucio_server() as made:
        made.add_account(ACCOUNT, USER, PASSWORD)
        made.call("POST", f"/accounts/{ACCOUNT}/scopes/mc09")
        for name, folder in folders.items():
            made.add_rse(name, folder, account=ACCOUNT)
        yield made


@pytest.fixture
def sites(
    server: RucioServer,
    folders: dict[str, Path],
    db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Sites:
    """Data of the VO atlas are in Rucio."""
    from django.db import connection

    from datasets.ddm import choice
    from tests.rucio.sites import Sites

    with connection.cursor() as cursor:  # the test waits in it for Rucio's programs
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    settings.PANDASITE_DDM = {"atlas": choice.KNOWN["rucio"]}
    settings.PANDASITE_RUCIO = choice.RucioServer(url=server.url, account=ACCOUNT, secret="rucio")
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_RUCIO", f"{USER}:{PASSWORD}")
    choice.system.cache_clear()
    return Sites(server, folders)
