"""Errors as PostgreSQL and Django raise them, for code that has to live with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import OperationalError
from psycopg2.errors import lookup


def database_error(sqlstate: str) -> OperationalError:
    """What Django raises for this code of PostgreSQL."""
    error = OperationalError(f"trouble {sqlstate}")
    error.__cause__ = lookup(sqlstate)()
    return error


def raising(error: Exception) -> Callable[..., NoReturn]:
    """A function that raises it, whatever it is called with."""

    def work(*_: Any, **__: Any) -> NoReturn:
        raise error

    return work
