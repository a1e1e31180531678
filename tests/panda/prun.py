"""Task parameters as prun 2.2 sent them; prun_samples/ has them as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).with_name("prun_samples")


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """One of the samples, with other values."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8")) | changes
