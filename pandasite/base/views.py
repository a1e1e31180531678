"""The view that every JSON address is built on: no body is let past unread.

DRF calls no parser when Content-Length is missing, zero or nonsense: it hands the view an empty
dict. A request without a body would so pass every serializer that has no required field.
This module is apart from `json.py` because DRF imports its default parsers while it defines
APIView.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, cast

from django.http import HttpRequest, HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from pandasite.base.errors import DomainError
from pandasite.base.json import DEFAULT_MAX_BYTES, StrictJSONParser, empty_body

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class LengthRequired(DomainError):
    """The server in front cannot tell where the body ends."""

    code = "length_required"


class StrictRequest(Request):
    """A DRF request whose `data` is an object that the client really sent, or an error."""

    def _load_stream(self) -> None:
        self._stream = body_stream(self._request)


class JSONBodyMixin:
    """For DRF views: strict JSON bodies of at most `max_body_bytes` bytes."""

    parser_classes: ClassVar[Sequence[type[BaseParser]]] = [StrictJSONParser]
    max_body_bytes = DEFAULT_MAX_BYTES

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Exchange the request that DRF made for the strict one."""
        plain = super().initialize_request(request, *args, **kwargs)  # type: ignore[misc]
        return StrictRequest(
            plain._request,
            parsers=plain.parsers,
            authenticators=plain.authenticators,
            negotiator=plain.negotiator,
            parser_context=plain.parser_context,
        )


class JSONView(JSONBodyMixin, APIView):
    """APIView with strict JSON bodies; a view with larger bodies sets `max_body_bytes`."""


def json_answer(value: Any, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer in JSON, made at once: without DRF's negotiation, which has nothing to choose."""
    return HttpResponse(json_text(value), content_type="application/json", headers=headers)


def json_text(value: Any) -> str:
    """JSON without blanks."""
    return _ENCODER.encode(value)


def body_stream(request: HttpRequest) -> BinaryIO:
    """Where the body can be read from. Raises BadBody (`empty_body`) or LengthRequired."""
    if request._read_started:  # type: ignore[attr-defined]
        return io.BytesIO(request.body)
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        return _chunked_stream(request)
    if not _stated_length(request):
        raise empty_body()
    return cast("BinaryIO", request)


def _chunked_stream(request: HttpRequest) -> BinaryIO:
    """Django reads nothing of a chunked body; a server that says it ends the stream may be read."""
    if not request.META.get("wsgi.input_terminated"):
        raise LengthRequired("send the body with a Content-Length")
    return cast("BinaryIO", request.META["wsgi.input"])


def _stated_length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text[:20]) if text.isdecimal() else 0
