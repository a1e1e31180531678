"""Django's `migrate`, without the time limits of our connections.

On a busy machine a migration may think for longer than a transaction may be idle, and a large table
takes longer than a statement of a page may. How long it waits for others' locks stays bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

LIFTED = re.compile(r"-c (statement_timeout|idle_in_transaction_session_timeout)=\S+ ?")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with unhurried(connections[options["database"]]):
            super().handle(*args, **options)


@contextmanager
def unhurried(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A connection whose statements and transactions may take as long as they do."""
    options = connection.settings_dict["OPTIONS"]
    limits = options.get("options")
    if limits is None:  # PANDASITE_STATEMENT_SECONDS=0: none are sent
        yield
        return
    connection.close()
    options["options"] = LIFTED.sub("", limits)
    try:
        yield
    finally:
        connection.close()
        options["options"] = limits
