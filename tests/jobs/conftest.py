"""One site and the account of its pilots, which nearly every test of claim and report needs.

Imports are inside: this file is read before Django is set up.
"""

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
