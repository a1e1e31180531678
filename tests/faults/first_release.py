"""Makes the tables as they were in the first release, without what follows a whole migration.

`python -m tests.faults.first_release`
"""

from __future__ import annotations

import django

django.setup()

from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

OURS = ("brokerage", "datasets", "jobs", "monitor", "base")
FIRST = [("jobs", "0002_guard_and_counts")]  # it asks for those of the floors below


def main() -> None:
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in OURS]
    executor.migrate([*others, *FIRST])


if __name__ == "__main__":
    main()
