"""What the JSON decoder makes of numbers and objects, and of those that cannot be kept."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, field
from typing import Any, Final

MAX_NUMBER_CHARS: Final = 64
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
FLOAT_MAX: Final = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Flaw:
    """Stands where the decoder met a fault: only the walk afterwards knows the place."""

    code: str
    message: str
    key: str | None = None
    limit: dict[str, Any] = field(default_factory=dict)


class BadNumber(Flaw):
    """A number that cannot be kept: NaN, or beyond 64 bits.

    The fields of `fields.py` refuse it with their own range. It is neither a number nor a text
    nor JSON, so whatever else it is given to refuses it as well.
    """


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Flaw:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return Flaw("duplicate_key", "is given more than once", key=repeated)


def _integer(digits: str) -> int | Flaw:
    if len(digits) <= MAX_NUMBER_CHARS and INT64_MIN <= (value := int(digits)) <= INT64_MAX:
        return value
    message = f"must be between {INT64_MIN} and {INT64_MAX}"
    return BadNumber("out_of_range", message, limit={"min": INT64_MIN, "max": INT64_MAX})


def _float(digits: str) -> float | Flaw:
    if len(digits) > MAX_NUMBER_CHARS:
        message = f"must be written with at most {MAX_NUMBER_CHARS} characters"
        return BadNumber("out_of_range", message, limit={"max_characters": MAX_NUMBER_CHARS})
    value = float(digits)
    if math.isfinite(value):
        return value
    message = f"must be between {-FLOAT_MAX} and {FLOAT_MAX}"
    return BadNumber("out_of_range", message, limit={"min": -FLOAT_MAX, "max": FLOAT_MAX})


def _constant(name: str) -> Flaw:
    message = f"must be a number from {-FLOAT_MAX} to {FLOAT_MAX}, not {name}"
    return BadNumber("not_a_number", message, limit={"min": -FLOAT_MAX, "max": FLOAT_MAX})


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
