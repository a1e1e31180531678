"""One site for all of these tests: what is killed is started again, as in life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.flow.processes import adopt_orphans
from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.flow.site import FlowSite

HERE = Path(__file__).parent


SECONDS = 900  # for a test with its fixtures: a busy machine starts a site in minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="tells a child of its parent's death")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def orphans() -> Iterator[None]:
    """What the runs leave behind comes to us, to be found."""
    adopt_orphans(True)
    yield
    adopt_orphans(False)


@pytest.fixture(scope="package")
def site(orphans: None, django_db_blocker: DjangoDbBlocker) -> Iterator[FlowSite]:
    from tests.flow.site import site_in_a_folder  # this file is read before the settings are

    with site_in_a_folder(django_db_blocker) as site:
        yield site
