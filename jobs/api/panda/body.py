"""What pilots send: forms, JSON, and gzip of JSON that no header tells of."""

from __future__ import annotations

import zlib
from typing import Any, Final
from urllib.parse import parse_qsl

from django.http import HttpRequest, UnreadablePostError

from pandasite.base.errors import TooMuch
from pandasite.base.json import (
    BadBody,
    UnsupportedBody,
    empty_body,
    loads_strict,
    read_capped,
    too_large,
)
from pandasite.base.views import body_stream

BODY_MAX: Final = 2 * 1024 * 1024  # bytes as they come
BULK_MAX: Final = 16 * 1024 * 1024
INFLATED_MAX: Final = 10 * 1024 * 1024
INFLATED_TIMES: Final = 10  # as large as what came, or ...
INFLATED_FREE: Final = 1024 * 1024  # ... this, whichever is more
FIELDS_MAX: Final = 1000  # of a form
GZIP: Final = b"\x1f\x8b"
FORM: Final = "application/x-www-form-urlencoded"


def read(request: HttpRequest, *, max_bytes: int = BODY_MAX) -> dict[str, Any]:
    """The arguments of a call: of the query, or of the body. Values of forms are text.

    A call without any is one without arguments. DomainErrors as `loads_strict` has them,
    UnsupportedBody and TooMuch.
    """
    if request.method != "POST":
        return _form(request.META.get("QUERY_STRING", ""))
    if not _has_body(request):
        return {}
    raw = _read(request, max_bytes)
    if raw.startswith(GZIP):
        # The header may be missing: the pilots 3.11 send none to the old addresses.
        return _json(inflate(raw), INFLATED_MAX)
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedBody("the body is not what its Content-Encoding says")
    kind = request.content_type or FORM
    if kind == "application/json":
        return _json(raw, max_bytes)
    if kind != FORM:
        raise UnsupportedBody(f"a body is {FORM}, JSON or gzip of JSON, not {kind[:100]}")
    return _form(_text(raw))


def inflate(raw: bytes) -> bytes:
    """What was packed, read no further than it may be large."""
    most = min(INFLATED_MAX, max(INFLATED_FREE, INFLATED_TIMES * len(raw)))
    packed = zlib.decompressobj(wbits=31)
    try:
        text = packed.decompress(raw, most + 1)
    except zlib.error as error:
        raise BadBody("the body cannot be unpacked", code="bad_gzip") from error
    if len(text) > most:
        raise too_large(most)
    if not packed.eof:
        raise BadBody("the packed body was cut off", code="incomplete_body")
    if packed.unused_data:
        raise BadBody("the body has more than one packed part", code="bad_gzip")
    return text


def _has_body(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return bool(request.META.get("HTTP_TRANSFER_ENCODING")) or length.strip("0") != ""


def _read(request: HttpRequest, max_bytes: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise too_large(max_bytes)
    try:
        raw = read_capped(body_stream(request), max_bytes=max_bytes)
    except UnreadablePostError as error:
        raise BadBody("the body was cut off", code="incomplete_body") from error
    if not raw:
        raise empty_body()
    return raw


def _json(raw: bytes, max_bytes: int) -> dict[str, Any]:
    return loads_strict(raw, max_bytes=max_bytes)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadBody("the form is not percent-encoded", code="bad_form") from error


def _form(text: str) -> dict[str, Any]:
    """A name that is given twice has a list, as PanDA takes it where a list is wanted."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except UnicodeDecodeError as error:
        raise BadBody("the form is not UTF-8", code="not_utf8") from error
    except ValueError as error:
        raise TooMuch(
            f"a form has at most {FIELDS_MAX} fields", limit={"max": FIELDS_MAX}
        ) from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            earlier = found[name]
            found[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            found[name] = value
    return found
