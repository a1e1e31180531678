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
    from tests.clients.sent import Sent

HERE = Path(__file__).parent
SECONDS = 900  # for the first test, which waits for the site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="adopts the processes of its pilots")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def sent(django_db_blocker: DjangoDbBlocker) -> Iterator[Sent]:
    """A site that is up, with its pilots, and the tasks that were sent to it."""
    from deploy.panda_client import ensure_client
    from tests.clients.sent import Sent
    from tests.clients.site import client_site

    adopt_orphans(True)
    try:
        python = ensure_client()
        with client_site(python.parent.parent, django_db_blocker) as up:
            yield Sent.to(up)
    finally:
        adopt_orphans(False)
