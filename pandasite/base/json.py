"""JSON from strangers: read with a cap, decoded strictly, refused with the place of the fault.

The standard decoder takes NaN, repeated keys, numbers of any size, NUL characters and half
surrogate pairs. Each of them breaks something later (PostgreSQL stores neither NUL nor
surrogates nor integers over 64 bits), so they are refused here, before any field is looked at.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from pandasite.base.errors import BadInput, DomainError, TooMuch, field_error

DEFAULT_MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 20
# Empty containers cost some twenty times their text in memory: 16 MB of "[]," would take 400 MB.
MAX_VALUES: Final = 1_000_000
MAX_NUMBER_CHARS: Final = 64
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
FLOAT_MAX: Final = sys.float_info.max
CHUNK: Final = 64 * 1024

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SURROGATE = re.compile("[\ud800-\udfff]")

# A place in the document: None is the top, else (place of the parent, key or index).
_Place = tuple[Any, "str | int"] | None


class BadBody(BadInput):
    """The body is not the JSON object that was asked for; `code` says in what way."""

    code = "bad_json"


class BodyTooLarge(TooMuch):
    """The body is longer than this address takes."""

    code = "too_large"


class UnsupportedBody(DomainError):
    """The body comes in an encoding that is not read here."""

    code = "unsupported_encoding"


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands where the decoder met a fault: only the walk afterwards knows the place."""

    code: str
    message: str
    key: str | None = None
    limit: dict[str, Any] = field(default_factory=dict)


class BadNumber(_Flaw):
    """A number that cannot be kept: NaN, or beyond 64 bits.

    The fields of `fields.py` refuse it with their own range. It is neither a number nor a text
    nor JSON, so whatever else it is given to refuses it as well.
    """


def loads_strict(
    raw: bytes,
    *,
    max_bytes: int,
    max_depth: int = MAX_DEPTH,
    keep_bad_numbers: bool = False,
) -> dict[str, Any]:
    """Decode one JSON object (UTF-8) of at most `max_bytes` bytes and `max_depth` levels.

    Raises BodyTooLarge (`too_large`, `too_many_values`) or BadBody with the code `empty_body`,
    `not_utf8`, `bad_json`, `too_deep`, `duplicate_key`, `out_of_range`, `not_a_number`,
    `null_character`, `bad_character` or `not_an_object`; faults inside the document name their
    place in `fields`, as in `jobs[3].input_files[0].lfn`. With `keep_bad_numbers` a number that
    cannot be kept is left in its place as a BadNumber, for who knows the range that it should have.
    """
    text = _text(raw, max_bytes=max_bytes)
    value = _decode(text, max_depth=max_depth)
    _inspect(value, None, depth=1, max_depth=max_depth, kept=BadNumber if keep_bad_numbers else ())
    if not isinstance(value, dict):
        raise BadBody("the body must be a JSON object", code="not_an_object")
    return value


def path_text(steps: Iterable[str | int]) -> str:
    """`("jobs", 3, "lfn")` as `jobs[3].lfn`; unusual keys are quoted as JSON and cut short."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step[:64])}]"
    return text


def too_large(max_bytes: int) -> BodyTooLarge:
    """The refusal of a body over the limit, the same wherever it is noticed."""
    return BodyTooLarge(
        f"the body is larger than the {max_bytes} bytes allowed here",
        limit={"max_bytes": max_bytes},
    )


def empty_body() -> BadBody:
    """The refusal of a body with nothing in it."""
    return BadBody("the body is empty; send a JSON object", code="empty_body")


def read_capped(stream: IO[bytes], *, max_bytes: int) -> bytes:
    """All of `stream`, read in pieces; stops with BodyTooLarge one piece after the limit."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(min(CHUNK, max_bytes + 1 - size)):
        size += len(piece)
        if size > max_bytes:
            raise too_large(max_bytes)
        pieces.append(piece)
    return b"".join(pieces)


class StrictJSONParser(BaseParser):
    """DRF parser: `application/json` in UTF-8, unpacked, of at most `view.max_body_bytes`.

    An empty body never reaches a parser in DRF: views built on `pandasite.base.views.JSONView`
    refuse it too.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The decoded object with its BadNumbers; raises what `loads_strict` raises, and
        UnsupportedBody."""
        context = parser_context or {}
        meta = context["request"].META if "request" in context else {}
        max_bytes = getattr(context.get("view"), "max_body_bytes", DEFAULT_MAX_BYTES)
        _refuse_encodings(meta.get("HTTP_CONTENT_ENCODING", ""), media_type or "")
        _refuse_stated_size(meta.get("CONTENT_LENGTH"), max_bytes=max_bytes)
        try:
            raw = read_capped(stream, max_bytes=max_bytes)
        except UnreadablePostError as error:
            raise BadBody("the body was cut off", code="incomplete_body") from error
        return loads_strict(raw, max_bytes=max_bytes, keep_bad_numbers=True)


def _refuse_encodings(content_encoding: str, media_type: str) -> None:
    if content_encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedBody("packed bodies are not read; send it without Content-Encoding")
    charset = parse_header_parameters(media_type)[1].get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedBody("JSON is read as UTF-8 only", code="unsupported_charset")


def _refuse_stated_size(content_length: str | None, *, max_bytes: int) -> None:
    """Spare the reading when the client itself says that it is too much."""
    if content_length and content_length.isdecimal() and int(content_length[:20]) > max_bytes:
        raise too_large(max_bytes)


def _text(raw: bytes, *, max_bytes: int) -> str:
    if len(raw) > max_bytes:
        raise too_large(max_bytes)
    if not raw or raw.isspace():
        raise empty_body()
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        raise BodyTooLarge(
            f"the body holds more than {MAX_VALUES} values",
            code="too_many_values",
            limit={"max": MAX_VALUES},
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadBody(
            f"the body is not UTF-8: byte {error.start} cannot be read", code="not_utf8"
        ) from error


def _decode(text: str, *, max_depth: int) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadBody(f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError:
        # The decoder gives up at the interpreter's limit, which is far beyond ours.
        raise _too_deep(max_depth) from None


def _inspect(
    value: Any, place: _Place, *, depth: int, max_depth: int, kept: type[_Flaw] | tuple[()]
) -> None:
    """Walk the document and refuse the first fault. Recursion ends at `max_depth`."""
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, _Flaw):
        if not isinstance(value, kept):
            raise _refusal(value, place)
    elif isinstance(value, dict | list):
        if depth > max_depth:
            raise _too_deep(max_depth, place)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _check_text(key, (place, key))
            _inspect(item, (place, key), depth=depth + 1, max_depth=max_depth, kept=kept)


def _check_text(text: str, place: _Place) -> None:
    if "\0" in text:
        raise _refusal(_Flaw("null_character", "must not contain the character U+0000"), place)
    if not text.isascii() and _SURROGATE.search(text):
        raise _refusal(_Flaw("bad_character", "must not contain half a surrogate pair"), place)


def _too_deep(max_depth: int, place: _Place = None) -> BadBody:
    message = f"must not be nested more than {max_depth} levels deep"
    return _refusal(_Flaw("too_deep", message, limit={"max": max_depth}), place)


def _refusal(flaw: _Flaw, place: _Place) -> BadBody:
    if flaw.key is not None:
        place = (place, flaw.key)
    name = path_text(_steps(place))
    message = f"{name or 'the body'} {flaw.message}"
    error = field_error(name or "body", message, code=flaw.code, **flaw.limit)
    return BadBody(message, code=flaw.code, fields=[error])


def _steps(place: _Place) -> list[str | int]:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    return steps[::-1]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return _Flaw("duplicate_key", "is given more than once", key=repeated)


def _integer(digits: str) -> int | _Flaw:
    if len(digits) <= MAX_NUMBER_CHARS and INT64_MIN <= (value := int(digits)) <= INT64_MAX:
        return value
    message = f"must be between {INT64_MIN} and {INT64_MAX}"
    return BadNumber("out_of_range", message, limit={"min": INT64_MIN, "max": INT64_MAX})


def _float(digits: str) -> float | _Flaw:
    if len(digits) > MAX_NUMBER_CHARS:
        message = f"must be written with at most {MAX_NUMBER_CHARS} characters"
        return BadNumber("out_of_range", message, limit={"max_characters": MAX_NUMBER_CHARS})
    value = float(digits)
    if math.isfinite(value):
        return value
    message = f"must be between {-FLOAT_MAX} and {FLOAT_MAX}"
    return BadNumber("out_of_range", message, limit={"min": -FLOAT_MAX, "max": FLOAT_MAX})


def _constant(name: str) -> _Flaw:
    message = f"must be a number from {-FLOAT_MAX} to {FLOAT_MAX}, not {name}"
    return BadNumber("not_a_number", message, limit={"min": -FLOAT_MAX, "max": FLOAT_MAX})


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
