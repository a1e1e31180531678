"""HTTP byte ranges (RFC 9110, 14.2): which part of a file is asked for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pandasite.base.errors import DomainError

_ONE: Final = re.compile(r"bytes=\s*([0-9]*)-([0-9]*)\s*", re.IGNORECASE)
_MANY_DIGITS: Final = 19  # a number of more is beyond every file, and costs time to read


class RangeNotSatisfiable(DomainError):
    """No byte of the file is in the range that was asked for; `size` is that of the file."""

    code = "range_not_satisfiable"

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message, limit={"min": 0, "max": size})
        self.size = size


@dataclass(frozen=True)
class Span:
    """Bytes from `start` on, as many as `length`."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """For the header of a 206."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def span_of(header: str, *, size: int) -> Span | None:
    """The part that a Range header asks for; None is the whole.

    Other units than bytes, and several ranges, are answered with the whole, as the RFC allows.
    Raises RangeNotSatisfiable for a range that is written wrongly or lies behind the end.
    """
    if not header.lower().startswith("bytes=") or "," in header:
        return None
    found = _ONE.fullmatch(header)
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        raise _refused(header, size)
    if not first:  # the last so many bytes
        length = min(_number(last), size)
        start = size - length
    else:
        start = _number(first)
        length = min(_number(last) if last else size, size - 1) - start + 1
        if last and _number(last) < start:
            raise _refused(header, size)
    if length < 1:
        raise _refused(header, size)
    return Span(start, length)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) < _MANY_DIGITS else 10**_MANY_DIGITS


def _refused(header: str, size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"Range '{header[:80]}' names no byte of this file of {size} bytes", size=size
    )
