"""Makes the tables as they were in the first release, without what follows a whole migration.

`python -m tests.faults.first_release`
"""

from __future__ import annotations

import django

django.setup()

from django.apps import apps  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

OURS = ("brokerage", "datasets", "jobs", "monitor", "pandasite")  # with all that is below
FIRST = [("jobs", "0002_guard_and_counts")]  # it asks for those of the floors below


def main() -> None:
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if not is_ours(leaf[0])]
    executor.migrate([*others, *FIRST])


def is_ours(label: str) -> bool:
    """Whether an app is not another project's."""
    return apps.get_app_config(label).name.split(".")[0] in OURS


if __name__ == "__main__":
    main()
