"""prodSourceLabel: what kind of job it is, and which kinds go by the rules of analysis."""

from __future__ import annotations

LABELS = ("managed", "user", "panda", "test", "install", "software", "ddm", "prod_test")
ANALYSIS = frozenset({"user", "panda"})
SHORT_HOLDING = ANALYSIS | {"ddm"}  # their outputs are registered soon or never


def is_analysis(label: str) -> bool:
    """Analysis jobs keep their output at the site, and have shorter time limits."""
    return label in ANALYSIS
