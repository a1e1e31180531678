"""Where data management systems elsewhere tell what has become of files and datasets.

It records the news through `datasets` and nudges the sweeps over jobs: only those activate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers as s
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.ddm import signing
from datasets.ddm.news import KINDS, OUTCOMES, News, record
from jobs.api.answers import FieldProblem, documented
from jobs.api.bodies import INT64
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError
from pandasite.base.json import too_large
from pandasite.base.problems import problem_of
from pandasite.base.views import JSONView

NEWS_MAX = 500  # of a call
BODY_MAX = 2**20


@dataclass(frozen=True)
class Sender:
    """A data management system whose signature holds."""

    name: str
    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True


class SignatureAuthentication(BaseAuthentication):
    """HMAC over sender, time and body; 403 when it is not right, whatever is in the body."""

    def authenticate(self, request: Request) -> tuple[Sender, None]:
        """The sender. PermissionDenied: no, unknown, forged or old signature."""
        given = request.headers
        sender, time = given.get(signing.SENDER, ""), given.get(signing.TIME, "")
        secrets = settings.PANDASITE_DDM_SECRETS.get(sender, ())
        body = _body(request)
        signature = given.get(signing.SIGNATURE, "")
        if not signing.holds(signature, secrets, sender=sender, time=time, body=body):
            raise PermissionDenied("the signature does not hold", code="bad_signature")
        window = settings.PANDASITE["DDM_CLOCK_SECONDS"]
        if not signing.is_timely(time, now=database_now().timestamp(), window=window):
            message = f"the signature is not of the last {window} s: sign anew with the time of now"
            raise PermissionDenied(message, code="old_signature")
        return Sender(sender), None


def _body(request: Request) -> bytes:
    stated = request.META.get("CONTENT_LENGTH") or "0"
    if stated.isdecimal() and int(stated[:20]) > BODY_MAX:
        raise too_large(BODY_MAX)
    return bytes(request._request.body)


class IsSender(BasePermission):
    """News come from systems that share a secret with us."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Sender)


class SignatureScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes the signature."""

    target_class = SignatureAuthentication
    name = "ddm_signature"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": signing.SIGNATURE,
            "description": f"HMAC-SHA256, with {signing.SENDER} and {signing.TIME}: docs/ddm.md",
        }


class NewsBody(strict.StrictSerializer):
    """One thing that happened: which fields it has depends on its kind."""

    id = strict.StrictCharField(max_length=64)
    kind = strict.ChoiceField(choices=KINDS, unknown_code="unknown_kind")
    storage = strict.StrictCharField(max_length=64)
    scope = strict.ScopeField(required=False)
    lfn = strict.LfnField(required=False)
    size = strict.StrictIntegerField(min_value=0, max_value=INT64, required=False)
    adler32 = strict.Adler32Field(required=False)
    dataset = strict.DatasetNameField(required=False)
    reason = strict.StrictCharField(max_length=500, allow_blank=True, required=False)
    permanent = strict.StrictBooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Each kind needs its own names, and what arrived its size and checksum."""
        kind = attrs["kind"]
        needed = ["dataset"] if kind.startswith("dataset") else ["scope", "lfn"]
        if kind == "file_arrived":
            needed += ["size", "adler32"]
        for name in needed:
            if name not in attrs:
                strict.refuse("required", f"is required for {kind}", field=name)
        return attrs


class CallbackBody(strict.StrictSerializer):
    """1 to 500 news."""

    news = NewsBody(many=True, allow_empty=False, max_length=NEWS_MAX)


class NewsProblem(s.Serializer[Any]):
    """Why one of the news was refused."""

    status = s.IntegerField()
    code = s.CharField()
    message = s.CharField()
    fields = FieldProblem(many=True)  # type: ignore[assignment]


class NewsAnswer(s.Serializer[Any]):
    """What became of it: `replayed`, it was recorded before; `ignored`, the file is there."""

    id = s.CharField()
    outcome = s.ChoiceField(choices=OUTCOMES, required=False)
    problem = NewsProblem(required=False)


class CallbackAnswer(s.Serializer[Any]):
    """One answer each, in the order of the news."""

    answers = NewsAnswer(many=True)


class CallbacksView(JSONView):
    """News of a data management system."""

    authentication_classes = [SignatureAuthentication]
    permission_classes = [IsSender]
    max_body_bytes = BODY_MAX

    @documented(
        request=CallbackBody,
        answers={200: CallbackAnswer, 207: CallbackAnswer},
        problems=(400, 404, 411, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """One: its own status. More: an answer each, in their order; 207 when one is refused."""
        said = strict.validated(CallbackBody, request.data)["news"]
        news = [News(**one) for one in said]
        outcomes = record(news, sender=request.user.name, now=database_now())  # type: ignore[union-attr]
        if len(news) == 1 and isinstance(outcomes[0], DomainError):
            raise outcomes[0]
        answers = [_answer(one, outcome) for one, outcome in zip(news, outcomes, strict=True)]
        refused = any("problem" in answer for answer in answers)
        return Response({"answers": answers}, status=207 if refused else 200)


def _answer(one: News, outcome: str | DomainError) -> dict[str, Any]:
    if isinstance(outcome, str):
        return {"id": one.id, "outcome": outcome}
    problem = problem_of(outcome)
    body = problem.body(None)
    del body["request_id"]  # the whole call has one
    return {"id": one.id, "problem": {"status": problem.status} | body}
