"""Who opens the admin.

Imports are inside: this file is read before Django is set up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client


@pytest.fixture
def root(db: None) -> Client:
    """A superuser."""
    from django.contrib.auth import get_user_model

    from tests.admin.pages import logged_in

    return logged_in(get_user_model().objects.create_superuser("root"))


@pytest.fixture
def operator(db: None) -> Client:
    from jobs.groups import OPERATORS
    from tests.admin.pages import logged_in, staff

    return logged_in(staff("olga", group=OPERATORS))


@pytest.fixture
def shifter(db: None) -> Client:
    from jobs.groups import SHIFTERS
    from tests.admin.pages import logged_in, staff

    return logged_in(staff("sue", group=SHIFTERS))
