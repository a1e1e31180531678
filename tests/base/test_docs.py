"""What the documentation says of the settings is what the code has."""

import re
from pathlib import Path

from pandasite.limits import LIMITS, SWEEP_EMBEDDED, SWEEP_PRODUCTION

PRODUCTION = Path(__file__).parents[2] / "docs" / "production.md"


def documented() -> dict[str, int]:
    rows = re.findall(r"\| `PANDASITE_(\w+)` \| (\d+)", PRODUCTION.read_text(encoding="utf-8"))
    return {name: int(default) for name, default in rows}


def test_every_limit_is_documented_with_its_default() -> None:
    expected = {name: limit.default for name, limit in LIMITS.items()}
    assert documented() == expected | {"SWEEP_SECONDS": SWEEP_PRODUCTION.default}


def test_the_embedded_rhythm_of_the_sweeps_is_documented() -> None:
    assert f"(embedded: {SWEEP_EMBEDDED.default})" in PRODUCTION.read_text(encoding="utf-8")
