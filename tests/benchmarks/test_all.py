"""Every figure can be measured, and what it measures is right; how fast it was is not asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from benchmarks.figures import GROUPS

# About the machine, not about what was done.
OF_RATES = (
    "the same ratio at",
    "about 20 times the peer",
    "a Celery worker has at most",
    "at least 0.15 of",
    "at most 150 MB",
    "grows at most",
    "at one site at least",
)
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_every_figure_can_be_measured_and_its_books_are_right(tmp_path):
    environment = {name: value for name, value in os.environ.items() if "PANDASITE" not in name}
    words = ["-m", "benchmarks", "--scale", "0.01", "--seconds", "0.5", "--results", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, *words],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    found = {said["figure"]: said for said in map(json.loads, done.stdout.splitlines())}
    assert found.keys() == {name for group in GROUPS for name in group.figures}
    assert all(said["value"] is not None for said in found.values())
    broken = [
        (name, condition)
        for name, said in found.items()
        for condition, holds in said.get("conditions", {}).items()
        if not holds and not condition.startswith(OF_RATES)
    ]
    assert broken == []
