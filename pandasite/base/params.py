"""The query string of an address. Each value is checked; a refusal names the value and the range.

The REST lists and the pages of the monitor share these rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import QueryDict

from pandasite.base.errors import BadInput, field_error

LONGEST = 255
NAMED = 64  # characters of a parameter's name, and 80 of its value, that a refusal repeats
SHOWN = 80


def refuse(name: str, value: str, words: str, *, code: str = "bad_value", **limit: Any) -> BadInput:
    """The error that says what `name` must be and what it was."""
    message = f"{name[:NAMED]} must be {words}, not '{value[:SHOWN]}'"
    return BadInput(
        message, code=code, fields=[field_error(name[:NAMED], message, code=code, **limit)]
    )


class Params:
    """The parameters that were given: known ones only, each once.

    Empty ones do not count, because a form sends those that were left empty; programs have no
    such excuse: `keep_empty` has them checked like any other value.
    """

    def __init__(self, given: QueryDict, *, known: Iterable[str], keep_empty: bool = False) -> None:
        names = [*known]
        for name, values in given.lists():
            if name not in names:
                raise _unknown(name, names)
            if len(values) > 1:
                raise refuse(name, " and ".join(values), "given once", code="repeated")
        found = {name: str(values[0]) for name, values in given.lists() if values}
        self.values = {name: value for name, value in found.items() if keep_empty or value.strip()}

    def text(self, name: str, *, longest: int = LONGEST) -> str:
        """A name; '' when it was not given."""
        value = self.values.get(name, "")
        if len(value) > longest:
            words = f"at most {longest} characters"
            raise refuse(name, value, words, code="too_long", max=longest)
        return value

    def choice(
        self, name: str, among: Iterable[str], *, default: str = "", code: str = "unknown_value"
    ) -> str:
        """One of the words."""
        value, words = self.values.get(name, default), [*among]
        if value != default and value not in words:
            one_of = f"one of {', '.join(words)}"
            raise refuse(name, value, one_of, code=code, values=words)
        return value

    def number(self, name: str, *, low: int, high: int) -> int | None:
        """A whole number within the range; None when it was not given."""
        value = self.values.get(name)
        if value is None:
            return None
        # isascii: other scripts have digits, too
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            words = f"a number from {low} to {high}"
            raise refuse(name, value, words, code="out_of_range", min=low, max=high)
        if not low <= int(value) <= high:
            words = f"between {low} and {high}"
            raise refuse(name, value, words, code="out_of_range", min=low, max=high)
        return int(value)


def _unknown(name: str, known: list[str]) -> BadInput:
    message = f"{name[:NAMED]} is not a known filter (known: {', '.join(known)})"
    error = field_error(name[:NAMED], message, code="unknown_filter", values=known)
    return BadInput(message, code="unknown_filter", fields=[error])
