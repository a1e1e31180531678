"""Each test with an issuer begins without anything known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.identity import issuer as issuing
from tests.identity.issuer import KeyServer


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    # Read before Django is ready, as conftest files are.
    from jobs.api import bearers
    from pandasite.identity.keys import BOOK

    BOOK.forget()
    bearers.forget()


@pytest.fixture
def keys(settings: Any) -> Iterator[KeyServer]:
    """A server of keys, and one issuer that is believed and has its keys there."""
    with issuing.key_server() as place:
        settings.PANDASITE_ISSUERS = {issuing.NAME: issuing.issuer(place.address)}
        yield place
