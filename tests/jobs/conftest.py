"""One site and the account of its pilots, which nearly every test of claim and report needs.

Imports are inside: this file is read before Django is set up.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture
def site(db: None) -> Any:
    from tests.builders import create_site

    return create_site("AGLT2")


@pytest.fixture
def pilots(site: Any) -> Any:
    from tests.builders import create_pilot_account

    return create_pilot_account(site)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections for claims of this test alone, on which nobody gives a lock up."""
    from django.db import connection

    from jobs import many_claims
    from pandasite.base.postgres.shared import Shared

    limits = connection.settings_dict["OPTIONS"]["options"] + " -c lock_timeout=60000"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", limits)
    monkeypatch.setattr(many_claims, "LINES", Shared(most=2))
    yield
    many_claims.LINES.close()
