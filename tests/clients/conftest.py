"""One site for all of these tests, whose tasks run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.flow.processes import adopt_orphans
from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.clients.site import ClientSite

HERE = Path(__file__).parent
SECONDS = 600  # for the first test, which waits for the site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="adopts the processes of its pilots")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def site(django_db_blocker: DjangoDbBlocker) -> Iterator[ClientSite]:
    """The site, up, with nobody there but its pilots."""
    from deploy.panda_client import ensure_client
    from tests.clients.site import client_site

    adopt_orphans(True)
    try:
        python = ensure_client()
        with client_site(python.parent.parent, django_db_blocker) as up:
            yield up
    finally:
        adopt_orphans(False)
