"""A small API to throw bad requests at, and the tools to do it."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from pandasite.base.serializers import (
    AwareDateTimeField,
    ChoiceField,
    LfnField,
    StrictCharField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from pandasite.base.views import JSONView

INT31 = 2**31 - 1


class FileSerializer(StrictSerializer):
    lfn = LfnField()


class JobSerializer(StrictSerializer):
    name = StrictCharField(max_length=20)
    input_files = FileSerializer(many=True, required=False, max_length=2)


class ProbeSerializer(StrictSerializer):
    """No field is required: an empty body would pass, were it let in."""

    site = StrictCharField(max_length=10, required=False)
    memory_mb = StrictIntegerField(min_value=0, max_value=INT31, required=False)
    state = ChoiceField(
        choices=["running", "finished"], unknown_code="unknown_state", required=False
    )
    at = AwareDateTimeField(required=False)
    labels = StrictListField(
        child=StrictCharField(max_length=5), max_length=3, allow_empty=False, required=False
    )
    jobs = JobSerializer(many=True, required=False, min_length=1, max_length=3)
    metadata = serializers.JSONField(required=False)


class ProbeView(JSONView):
    """Answers with what it understood."""

    authentication_classes = ()
    permission_classes = ()
    max_body_bytes = 4096

    def post(self, request: Request) -> Response:
        serializer = ProbeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


def request(body: bytes, **extra: Any) -> Any:
    """A POST of exactly these bytes; `extra` are headers as in the WSGI environment."""
    extra = {"content_type": "application/json", **extra}
    return APIRequestFactory().generic("POST", "/rest/probe", body, **extra)  # type: ignore[arg-type]


def post(body: bytes | dict[str, Any], **extra: Any) -> Any:
    """The probe's answer to `body`, sent as it is (a dict as its JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ProbeView.as_view()(request(raw, **extra))


def refused(response: Any, *, status: int, code: str) -> dict[str, Any]:
    """The problem in `response`, once its outside is as promised."""
    body: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(body) >= {"code", "message", "fields", "request_id"}
    return body
