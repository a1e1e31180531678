"""Single values of a call, which come as text or typed: read, and refused with name and range."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pandasite.base.errors import BadInput, field_error

INT32: Final = 2**31 - 1
INT64: Final = 2**63 - 1
NOTHING: Final = frozenset({"", "NULL", "None", "null"})  # as pilots write it
_NUMBER = re.compile(r"[+-]?\d{1,19}(\.\d{0,30})?(e[+-]?\d{1,2})?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_OF_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Before this a clock is not set, and after it no certificate lives.
_EPOCH_FIRST, _EPOCH_LAST = 10**9, 4 * 10**9


class Said:
    """The arguments of one call; each method raises BadInput for a value that cannot be.

    They are asked for under the names of v1; `names` says what they are called on this wire.
    """

    def __init__(self, values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
        self._values = values
        self._names = names or {}

    def wire(self, name: str) -> str:
        """What the caller calls it."""
        return self._names.get(name, name)

    def value(self, name: str) -> Any:
        """The value as it came; None when there is none, in any way in which pilots say so."""
        value = self._values.get(self.wire(name))
        return None if isinstance(value, str) and value in NOTHING else value

    def text(self, name: str, *, most: int, default: str = "", needed: bool = False) -> str:
        """One line of at most so many characters."""
        value = self._plain(name, default, needed)
        if _CONTROL.search(value):
            raise self.refuse(name, "must not contain control characters", code="control_character")
        if len(value) > most:
            raise self.refuse(
                name, f"must have at most {most} characters, not {len(value)}", code="too_long",
                max=most,
            )  # fmt: skip
        return value

    def words(self, name: str, *, most: int) -> tuple[str | None, bool]:
        """Text of many lines, cut to so many characters; and whether it was cut."""
        value = self.value(name)
        if value is None:
            return None, False
        if not isinstance(value, str):
            raise self.refuse(name, "must be text", code="not_a_string")
        if "\0" in value:
            raise self.refuse(name, "must not contain the character U+0000", code="null_character")
        clean = _CONTROL_OF_TEXT.sub("", value)
        return clean[:most], len(clean) > most

    def whole(self, name: str, *, low: int, high: int, needed: bool = False) -> int | None:
        """A whole number; a fraction, as some pilots measure, is cut off."""
        value = self.value(name)
        if value is None:
            if needed:
                raise self.refuse(name, "is required", code=f"{name}_required")
            return None
        number = _number(value)
        if number is None:
            raise self.refuse(name, "must be a number", code="not_an_integer")
        if not low <= number <= high:
            raise self.refuse(
                name, f"must be between {low} and {high}", code="out_of_range", min=low, max=high
            )
        return int(number)

    def one_of(self, name: str, among: Collection[str], *, code: str) -> str:
        """One of these words."""
        value = self._plain(name, "", True)
        if value not in among:
            known = sorted(among)
            raise self.refuse(name, f"must be one of {', '.join(known)}", code=code, values=known)
        return value

    def numbers(self, name: str, *, most: int) -> list[int]:
        """A list of PandaIDs: a JSON list, a repeated field or text with commas."""
        value = self.value(name)
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, int) and not isinstance(parts, bool):
            parts = [parts]
        if not isinstance(parts, list) or not 1 <= len(parts) <= most:
            raise self.refuse(
                name, f"must be 1 to {most} numbers", code="not_a_list", min=1, max=most
            )
        one = [Said({name: part}).whole(name, low=1, high=INT64, needed=True) for part in parts]
        return [number for number in one if number is not None]

    def time(self, name: str) -> dt.datetime | None:
        """A moment: seconds since 1970, or ISO with a zone. One that makes no sense is none.

        A pilot's clock decides nothing here, so no word of it is refused for its clock.
        """
        value = self.value(name)
        try:
            seconds = float(value)
            if _EPOCH_FIRST <= seconds <= _EPOCH_LAST:
                return dt.datetime.fromtimestamp(seconds, dt.UTC)
            return None
        except (TypeError, ValueError):
            pass
        try:
            at = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            return None
        return at if at and at.tzinfo and _EPOCH_FIRST <= at.timestamp() <= _EPOCH_LAST else None

    def refuse(self, name: str, message: str, *, code: str, **limit: Any) -> BadInput:
        """A refusal that names the field as the caller wrote it."""
        return refuse(self.wire(name), message, code=code, **limit)

    def _plain(self, name: str, default: str, needed: bool) -> str:
        value = self.value(name)
        if value is None:
            if needed:
                raise self.refuse(name, "is required", code=f"{name}_required")
            return default
        if isinstance(value, bool | list | dict):
            raise self.refuse(name, "must be text", code="not_a_string")
        return str(value)


def _number(value: Any) -> float | int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value) if value.lstrip("+-").isdecimal() else float(value)
    return None


def refuse(name: str, message: str, *, code: str, **limit: Any) -> BadInput:
    """A refusal that names the field, with its range."""
    text = f"{name} {message}"
    return BadInput(text, code=code, fields=[field_error(name, text, code=code, **limit)])
