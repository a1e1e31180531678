"""What the migrations came to is kept for the sessions that follow."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests import migrated


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small one, with a migration that reads a statement."""
    for name in migrated.PRODUCT:
        (tmp_path / name / "migrations").mkdir(parents=True)
    (tmp_path / "jobs/migrations/0001_first.py").write_text("first")
    (tmp_path / "jobs/guard.sql").write_text("guard")
    (tmp_path / "requirements-dev.lock").write_text("django==5.2")
    monkeypatch.setattr(migrated, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "changed",
    ["jobs/migrations/0001_first.py", "jobs/migrations/0002_next.py", "jobs/guard.sql",
     "monitor/names.py", "requirements-dev.lock"],
)  # fmt: skip
def test_tables_are_kept_until_anything_changes_that_a_migration_may_read(
    product: Path, changed: str
) -> None:
    home = settings.PANDASITE_HOME
    before = migrated.digest(home)

    (product / "README").write_text("words")
    assert migrated.digest(home) == before
    (product / changed).write_text("changed")

    assert migrated.digest(home) != before
