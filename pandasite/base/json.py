"""JSON from strangers: read with a cap, decoded strictly, refused with the place of the fault.

The standard decoder takes NaN, repeated keys, numbers of any size, NUL characters and half
surrogate pairs. Each of them breaks something later (PostgreSQL stores neither NUL nor
surrogates nor integers over 64 bits), so they are refused here, before any field is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final

from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from pandasite.base.errors import BadInput, DomainError, TooMuch, field_error
from pandasite.base.flaws import DECODER, BadNumber, Flaw
from pandasite.base.plain import NotPlain

DEFAULT_MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 20
# Empty containers cost some twenty times their text in memory: 16 MB of "[]," would take 400 MB.
MAX_VALUES: Final = 1_000_000
CHUNK: Final = 64 * 1024

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PLAIN_DECODER = json.JSONDecoder()
_SURROGATE = re.compile("[\ud800-\udfff]")

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_BOXES: Final = frozenset({dict, list})

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
    # Only an escape can bring what PostgreSQL does not store into text that came as UTF-8.
    if "\\u" in text or not _is_plain(value, max_depth=max_depth):
        kept = BadNumber if keep_bad_numbers else ()
        _inspect(value, None, depth=1, max_depth=max_depth, kept=kept)
    if not isinstance(value, dict):
        raise BadBody("the body must be a JSON object", code="not_an_object")
    return value


def loads_fields(raw: bytes, *, max_bytes: int) -> Any:
    """What `loads_strict` gives, for whose every value is checked by a field of ours afterwards.

    A field refuses numbers and texts that cannot be kept, and what is nested; what no field sees is
    a name that is given twice. NotPlain when one may be, or when it is no JSON: who reads it by
    `loads_strict` then hears what is wrong.
    """
    text = _text(raw, max_bytes=max_bytes)
    if "\\" in text:  # no quote is part of a text, so that they can be counted
        raise NotPlain
    try:
        value = _PLAIN_DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotPlain from error
    # Names and texts stand between two each. Of a name that is given twice one is gone.
    if text.count('"') != 2 * _texts(value):
        raise NotPlain
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
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadBody(f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError:
        # The decoder gives up at the interpreter's limit, which is far beyond ours.
        raise _too_deep(max_depth) from None


def _is_plain(value: Any, *, max_depth: int) -> bool:
    """Whether no flaw stands in it and it is not too deep: ten times as fast as to inspect it."""
    level = [] if type(value) in _PLAIN else [value]
    for _ in range(max_depth):
        if not level:
            return True
        below: list[Any] = []
        for box in level:
            if type(box) not in _BOXES:
                return False
            inner = box.values() if type(box) is dict else box
            below += [one for one in inner if type(one) not in _PLAIN]
        level = below
    return not level


def _texts(value: Any) -> int:
    """How many names and texts there are in it."""
    found = 0
    boxes: list[Any] = [[value]]
    for box in boxes:
        inner = box.values() if type(box) is dict else box
        kinds = [*map(type, inner)]
        found += kinds.count(str) + (len(box) if type(box) is dict else 0)
        if not _PLAIN.issuperset(kinds):
            boxes += [one for one in inner if type(one) in _BOXES]
    return found


def _inspect(
    value: Any, place: _Place, *, depth: int, max_depth: int, kept: type[Flaw] | tuple[()]
) -> None:
    """Walk the document and refuse the first fault. Recursion ends at `max_depth`."""
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, Flaw):
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
        raise _refusal(Flaw("null_character", "must not contain the character U+0000"), place)
    if not text.isascii() and _SURROGATE.search(text):
        raise _refusal(Flaw("bad_character", "must not contain half a surrogate pair"), place)


def _too_deep(max_depth: int, place: _Place = None) -> BadBody:
    message = f"must not be nested more than {max_depth} levels deep"
    return _refusal(Flaw("too_deep", message, limit={"max": max_depth}), place)


def _refusal(flaw: Flaw, place: _Place) -> BadBody:
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
