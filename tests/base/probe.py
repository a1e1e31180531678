"""A small API to throw bad requests at, and the tools to do it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
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

    authentication_classes: ClassVar[list[type[BaseAuthentication]]] = []
    permission_classes: ClassVar[list[Any]] = []
    max_body_bytes = 4096

    def post(self, request: Request) -> Response:
        serializer = ProbeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


def post(body: bytes | str | dict[str, Any], **extra: Any) -> HttpResponseBase:
    """The probe's answer to `body`, sent as it is (a dict as its JSON)."""
    raw = json.dumps(body) if isinstance(body, dict) else body
    extra = {"content_type": "application/json", **extra}
    return ProbeView.as_view()(APIRequestFactory().generic("POST", "/rest/probe", raw, **extra))


def refused(response: Any, *, status: int, code: str) -> dict[str, Any]:
    """The problem in `response`, once its outside is as promised."""
    body: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(body) >= {"code", "message", "fields", "request_id"}
    return body
