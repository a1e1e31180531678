"""The one place where an error becomes an HTTP answer: a problem JSON, or a page for people.

`problem_of` says what an exception means; `exception_handler` is DRF's way in, the handler
views at the end are Django's (`handler400` and so on in the root urls). The status line tells
the truth, the body names the field and the limit, and neither shows a trace, SQL or a path.
"""

from __future__ import annotations

import http
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from itertools import islice
from typing import Any, Final

import structlog
from django.conf import settings
from django.core import exceptions as django_errors
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.template import loader
from rest_framework import exceptions
from rest_framework.serializers import as_serializer_error
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import set_rollback

from pandasite.base import errors
from pandasite.base.faults import faults_of
from pandasite.base.json import UnsupportedBody
from pandasite.base.ranges import RangeNotSatisfiable
from pandasite.base.rate import TooOften
from pandasite.base.views import LengthRequired

log = logging.getLogger(__name__)

STATUS: Final[Mapping[type[errors.DomainError], int]] = {
    errors.DomainError: 400,
    errors.BadInput: 400,
    errors.NotAllowed: 403,
    errors.NotThere: 404,
    errors.Conflict: 409,
    LengthRequired: 411,
    errors.TooMuch: 413,
    UnsupportedBody: 415,
    RangeNotSatisfiable: 416,
    errors.Unprocessable: 422,
    errors.Unavailable: 503,
    errors.NoRoom: 507,
    TooOften: 429,
}
JSON_PATHS: Final = ("/rest/", "/api/", "/server/", "/healthz/", "/cache/", "/trf/", "/auth/")
DATABASE_RETRY_SECONDS: Final = 5
MAX_FIELDS: Final = 1000
# A missing value is worth a name of its own at the top of the answer: `site_required`.
MISSING: Final = frozenset({"required", "blank", "null"})


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What went wrong: the HTTP status, a word for programs, a sentence for people.

    `fields` are {field, code, message, limit?}; `extra` are further keys of the body.
    """

    status: int
    code: str
    message: str
    fields: Sequence[Mapping[str, Any]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The JSON body. The four fixed keys win over `extra`."""
        fixed = {"code": self.code, "message": self.message, "fields": list(self.fields)}
        return {**fixed, **self.extra, **fixed, "request_id": request_id}


class ProblemResponse(HttpResponse):
    """A problem as `application/problem+json`, whatever the client accepts; `data` is its body."""

    def __init__(self, problem: Problem, *, request_id: str | None = None) -> None:
        self.data = problem.body(request_id or current_request_id())
        super().__init__(
            JSONEncoder().encode(self.data),
            content_type="application/problem+json",
            status=problem.status,
            headers=dict(problem.headers),
        )
        # Whoever makes a problem of an error has logged it where that was needed; Django's own
        # line per 4xx and 5xx would be the second.
        self._has_been_logged = True


def current_request_id() -> str | None:
    """The id bound to this request's log lines."""
    return structlog.contextvars.get_contextvars().get("request_id")


def logged(error: Exception) -> Problem:
    """The problem of an error that a view ends with; the log has what it ought to say of it."""
    problem = problem_of(error)
    if problem.status == 500:
        log.error("unhandled_error", exc_info=error)
    elif problem.status == 503:
        log.warning("unavailable", extra={"problem": problem.code, "error": str(error)})
    if current_request_id():  # then django-structlog clears it behind the request
        structlog.contextvars.bind_contextvars(problem=problem.code)
    return problem


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's `EXCEPTION_HANDLER`: every exception of a view becomes a problem."""
    problem = logged(error)
    set_rollback()
    request = context.get("request")
    return ProblemResponse(problem, request_id=getattr(request, "request_id", None))


@singledispatch
def problem_of(error: BaseException | None) -> Problem:
    """What `error` means to the client. The unknown is a 500 that says nothing about itself."""
    message = "an error on our side; quote the request id when you report it"
    return Problem(status=500, code="internal_error", message=message)


@problem_of.register
def _domain(error: errors.DomainError) -> Problem:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    wait = error.extra.get("retry_after")
    return Problem(
        status=status,
        code=error.code,
        message=error.message,
        fields=error.fields,
        extra=error.extra,
        headers={} if wait is None else {"Retry-After": str(math.ceil(wait))},
    )


@problem_of.register
def _range(error: RangeNotSatisfiable) -> Problem:
    return replace(_domain(error), headers={"Content-Range": f"bytes */{error.size}"})


@problem_of.register
def _validation(error: exceptions.ValidationError) -> Problem:
    faults = list(islice(faults_of(error.detail), MAX_FIELDS))
    first, steps = faults[0] if faults else ({"code": "invalid", "message": "invalid input"}, ())
    code = str(first["code"])
    names = [step for step in steps if isinstance(step, str)]
    # A list that the whole call carries is too much for one call; one inside an item is wrong.
    status = 413 if code == "too_many" and len(names) == len(steps) else 400
    return Problem(
        status=status,
        code=f"{names[-1]}_required" if code in MISSING and names else code,
        message=first["message"],
        fields=[fault for fault, _ in faults if fault["field"]],
    )


@problem_of.register
def _django_validation(error: django_errors.ValidationError) -> Problem:
    return _validation(exceptions.ValidationError(as_serializer_error(error)))


@problem_of.register
def _api(error: exceptions.APIException) -> Problem:
    detail = error.detail if isinstance(error.detail, str) else error.default_detail
    code = str(getattr(detail, "code", None) or error.default_code)
    wait = getattr(error, "wait", None)
    headers = {} if wait is None else {"Retry-After": str(math.ceil(wait))}
    return Problem(status=error.status_code, code=code, message=str(detail), headers=headers)


@problem_of.register(exceptions.NotAuthenticated)
@problem_of.register(exceptions.AuthenticationFailed)
def _unauthenticated(error: exceptions.APIException) -> Problem:
    """401 also where DRF would say 403 because the first way to log in is a cookie."""
    code = str(getattr(error.detail, "code", error.default_code))
    return Problem(
        status=401,
        code="invalid_token" if code == "authentication_failed" else code,
        message=str(error.detail),
        headers={"WWW-Authenticate": getattr(error, "auth_header", "Token")},
    )


@problem_of.register
def _not_found(error: Http404) -> Problem:
    # Not Django's text: it lists the addresses that were tried.
    return Problem(status=404, code="not_found", message="there is nothing here")


@problem_of.register(django_errors.PermissionDenied)
def _forbidden(error: Exception) -> Problem:
    return Problem(status=403, code="permission_denied", message="you may not do this")


@problem_of.register
def _suspicious(error: django_errors.SuspiciousOperation) -> Problem:
    return Problem(status=400, code="bad_request", message="the request cannot be understood")


@problem_of.register(django_errors.BadRequest)
def _bad_request(error: Exception) -> Problem:
    message = str(error) or "the request cannot be understood"
    return Problem(status=400, code="bad_request", message=message)


@problem_of.register
def _too_big(error: django_errors.RequestDataTooBig) -> Problem:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    message = f"the body is larger than the {limit} bytes allowed here"
    extra = {"limit": {"max_bytes": limit}}
    return Problem(status=413, code="too_large", message=message, extra=extra)


@problem_of.register
def _cut_off(error: UnreadablePostError) -> Problem:
    return Problem(status=400, code="incomplete_body", message="the body was cut off")


@problem_of.register(OperationalError)
@problem_of.register(InterfaceError)
def _database_away(error: Exception) -> Problem:
    """Server gone, no connection free, statement too slow, deadlock: all may go well next time."""
    return Problem(
        status=503,
        code="database_unavailable",
        message="the database does not answer; try again soon",
        extra={"retry_after": DATABASE_RETRY_SECONDS},
        headers={"Retry-After": str(DATABASE_RETRY_SECONDS)},
    )


def wants_json(request: HttpRequest) -> bool:
    """Programs get JSON: by the address they use, or because they accept no HTML."""
    accept = request.headers.get("Accept", "")
    return request.path.startswith(JSON_PATHS) or ("json" in accept and "html" not in accept)


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """`problem` as JSON or as a page, after what the client is."""
    request_id = getattr(request, "request_id", None) or current_request_id()
    if wants_json(request):
        return ProblemResponse(problem, request_id=request_id)
    facts = {"problem": problem, "request_id": request_id}
    title = http.HTTPStatus(problem.status).phrase
    # No request in the context: its processors would ask the database, which may be the problem.
    page = loader.get_template("problem.html").render({**facts, "title": title})
    return HttpResponse(page, status=problem.status, headers=dict(problem.headers))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`."""
    return answer(request, problem_of(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler403`."""
    return answer(request, problem_of(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`."""
    return answer(request, problem_of(exception))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: 503 when it is the database that is away."""
    return answer(request, problem_of(sys.exc_info()[1]))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`."""
    message = "the form has no valid token; load the page again and repeat"
    return answer(request, Problem(status=403, code="csrf_failed", message=message))
