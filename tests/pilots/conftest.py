"""One run of PanDA's pilots for all of these tests: their jobs run side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.flow.processes import adopt_orphans
from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.pilots.run import Ended

HERE = Path(__file__).parent
SECONDS = 420  # for the first test, which waits for all jobs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="has process namespaces")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def ended(django_db_blocker: DjangoDbBlocker) -> Iterator[Ended]:
    """The jobs at their end, with the site that they ran at."""
    from deploy.panda_pilot import ensure_pilot
    from tests.pilots.foreign import isolation
    from tests.pilots.run import run_jobs
    from tests.pilots.site import pilot_site

    how = isolation()
    if how.why_not:
        if os.environ.get("CI") == "true":
            pytest.fail(how.why_not)
        pytest.skip(how.why_not)
    adopt_orphans(True)
    try:
        with pilot_site(ensure_pilot(), how, django_db_blocker) as site:
            yield run_jobs(site)
    finally:
        adopt_orphans(False)
