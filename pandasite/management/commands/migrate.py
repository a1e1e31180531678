"""Django's `migrate`, without the time limits of our connections.

On a busy machine a migration may think for longer than a transaction may be idle, and a large table
takes longer than a statement of a page may. How long it waits for others' locks stays bounded.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from pandasite.engines import unhurried


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with unhurried(connections[options["database"]]):
            super().handle(*args, **options)
