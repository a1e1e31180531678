"""One site for all of these tests, with its TLS port, nginx and Apache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.flow.processes import adopt_orphans
from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.servers.site import GridSite

HERE = Path(__file__).parent
SECONDS = 300  # for the first test, which brings everything up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="has the death signal")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def site(django_db_blocker: DjangoDbBlocker) -> Iterator[GridSite]:
    from deploy.servers import ensure_servers
    from tests.servers.site import grid_site

    adopt_orphans(True)
    try:
        with grid_site(ensure_servers(), django_db_blocker) as made:
            yield made
    finally:
        adopt_orphans(False)


@pytest.fixture(scope="package")
def front(site: GridSite) -> GridSite:
    """With both servers in front, where they can be had: see CONTRIBUTING.md, "Dependencies"."""
    from deploy.servers import why_not

    if site.below is None:
        pytest.skip(why_not())
    for name in ("nginx", "apache"):
        site.start_front(name)
    return site
