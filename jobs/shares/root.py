"""The share that stands for all jobs: it is always there."""

from __future__ import annotations

from typing import Any

from jobs.models import Share


def make() -> None:
    """Make it where it is missing."""
    if not Share.objects.filter(parent=None).exists():
        Share.objects.get_or_create(name="all", parent=None)


def make_after_migrate(**_: Any) -> None:
    """Signal handler: the table exists now."""
    make()
