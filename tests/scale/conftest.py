"""One PostgreSQL and one broker for all of these tests, and the hosts that a test asks for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.linux import only_on_linux

if TYPE_CHECKING:
    from tests.scale.site import ScaleSite

HERE = Path(__file__).parent
SECONDS = 900  # for a test with its fixtures: a busy machine starts a site in minutes
SETUP_POOLER = Path(sys.prefix) / "pgbouncer" / "usr" / "sbin" / "pgbouncer"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    only_on_linux(items, below=HERE, because="has 127.0.0.2 and death signals")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(SECONDS), append=False)


@pytest.fixture(scope="package")
def site(django_db_blocker: DjangoDbBlocker) -> Iterator[ScaleSite]:
    """Servers with tables and a place to work at; no host yet."""
    from tests.scale.site import scale_site  # this file is read before the settings are

    with scale_site(django_db_blocker) as site:
        yield site


@pytest.fixture(scope="session")
def pgbouncer() -> Path:
    """The program. Without it the tests behind it are skipped, which CI refuses."""
    if SETUP_POOLER.exists():
        return SETUP_POOLER
    if found := shutil.which("pgbouncer"):
        return Path(found)
    sentence = "No PgBouncer was found: install it (Debian: apt install pgbouncer)."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)
