"""One site for the quick tests; a test asks for it by how patient it is with silent pilots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.flow.processes import adopt_orphans
from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.faults.books import Books
    from tests.faults.site import FaultSite

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="tells a child of its parent's death")


@pytest.fixture(scope="package")
def orphans() -> Iterator[None]:
    """What the runs leave behind comes to us, to be found."""
    adopt_orphans(True)
    yield
    adopt_orphans(False)


@pytest.fixture(scope="package")
def running(orphans: None, django_db_blocker: DjangoDbBlocker) -> Iterator[FaultSite]:
    from tests.faults.site import fault_site  # this file is read before the settings are

    with fault_site(django_db_blocker) as site:
        yield site


@pytest.fixture
def patient(running: FaultSite) -> Iterator[Books]:
    """The site with leases of hours, as in production: nobody is given up during a test."""
    from tests.faults.site import PATIENT

    yield from _with(running, PATIENT)


@pytest.fixture
def strict(running: FaultSite) -> Iterator[Books]:
    """The site with a lease of 2 s and sweeps each second."""
    from tests.faults.site import STRICT

    yield from _with(running, STRICT)


def _with(site: FaultSite, limits: dict[str, str]) -> Iterator[Books]:
    from tests.faults.books import Books

    site.with_limits(limits)
    books = Books(site)
    yield books
    books.clear()
    assert site.fsck() == []
