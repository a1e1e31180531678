"""Errors become problems: the right status, a word, a sentence, and nothing about our insides."""

import datetime as dt
import json
import logging
from typing import Any

import pytest
import structlog
from django.core import exceptions as django_errors
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from pandasite.base import errors, problems
from pandasite.base.json import BodyTooLarge, UnsupportedBody
from pandasite.base.views import JSONView, LengthRequired
from tests.base.probe import refused, request


def raising(error: Exception) -> Any:
    """A view's answer when its code raises `error`."""

    class View(JSONView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Request) -> Response:
            raise error

    return View.as_view()(APIRequestFactory().get("/rest/x"))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.DomainError("no"), 400, "refused"),
        (errors.BadInput("no"), 400, "bad_input"),
        (errors.NotAllowed("no", code="priority_cap"), 403, "priority_cap"),
        (errors.NotThere("no"), 404, "not_found"),
        (errors.Conflict("no", code="stale_lease"), 409, "stale_lease"),
        (errors.IllegalMove("no"), 409, "illegal_transition"),
        (errors.Unprocessable("no", code="missing_outputs"), 422, "missing_outputs"),
        (errors.TooMuch("no"), 413, "too_many"),
        (BodyTooLarge("no"), 413, "too_large"),
        (UnsupportedBody("no"), 415, "unsupported_encoding"),
        (LengthRequired("no"), 411, "length_required"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.AuthenticationFailed(), 401, "invalid_token"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.PermissionDenied("no", code="insufficient_scope"), 403, "insufficient_scope"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("GET"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=1.2), 429, "throttled"),
        (exceptions.ParseError(), 400, "parse_error"),
        (Http404("No Job matches the given query."), 404, "not_found"),
        (django_errors.PermissionDenied(), 403, "permission_denied"),
        (django_errors.RequestDataTooBig(), 413, "too_large"),
        (django_errors.TooManyFieldsSent(), 400, "bad_request"),
        (django_errors.DisallowedHost("evil.example"), 400, "bad_request"),
        (django_errors.BadRequest("page 0"), 400, "bad_request"),
        (django_errors.ValidationError("no", code="odd"), 400, "odd"),
        (OperationalError("server closed the connection unexpectedly"), 503,
         "database_unavailable"),
        (InterfaceError("connection already closed"), 503, "database_unavailable"),
        (DataError("value out of range"), 500, "internal_error"),
        (ValueError("/srv/secret/path"), 500, "internal_error"),
    ],
)  # fmt: skip
def test_every_error_has_its_status(error: Exception, status: int, code: str) -> None:
    refused(raising(error), status=status, code=code)


def test_a_domain_error_keeps_its_fields_and_facts() -> None:
    fault = errors.field_error("memory_mb", "memory_mb is odd", code="odd", min=0, max=9)
    error = errors.Conflict(
        "the lease has ended", code="stale_lease", fields=[fault], command="tobekilled"
    )
    body = refused(raising(error), status=409, code="stale_lease")
    assert body["message"] == "the lease has ended"
    assert body["command"] == "tobekilled"
    assert body["fields"] == [
        {
            "field": "memory_mb",
            "code": "odd",
            "message": "memory_mb is odd",
            "limit": {"min": 0, "max": 9},
        }
    ]


def test_facts_of_an_error_cannot_take_the_place_of_the_fixed_keys() -> None:
    problem = problems.Problem(status=409, code="a", message="b", extra={"code": "x", "legal": []})
    assert problem.body("r") == {
        "code": "a",
        "message": "b",
        "fields": [],
        "legal": [],
        "request_id": "r",
    }


def test_facts_may_hold_times() -> None:
    at = dt.datetime(2009, 1, 31, 12, tzinfo=dt.UTC)
    body = refused(raising(errors.Conflict("no", at=at)), status=409, code="conflict")
    assert body["at"] == "2009-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.Conflict("in flight", retry_after=1), "1"),
        (exceptions.Throttled(wait=1.2), "2"),
        (OperationalError("too many connections"), "5"),
    ],
)
def test_what_may_go_well_later_says_when(error: Exception, seconds: str) -> None:
    assert raising(error).headers["Retry-After"] == seconds


def test_an_unknown_error_is_logged_once_and_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = raising(ValueError("/srv/secret/path SELECT token"))
    text = response.content.decode()
    assert "secret" not in text and "SELECT" not in text and "Traceback" not in text
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.exc_info and "secret" in str(record.exc_info[1])


def test_a_database_that_is_away_leaves_no_trace_in_the_answer() -> None:
    text = raising(OperationalError('connection to server at "10.0.0.7" failed')).content.decode()
    assert "10.0.0.7" not in text


def test_a_problem_carries_the_request_id() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc-1"):
        body = refused(raising(errors.BadInput("no")), status=400, code="bad_input")
    assert body["request_id"] == "abc-1"


@pytest.mark.parametrize(
    ("classes", "challenge"),
    [
        ([SessionAuthentication], "Token"),
        ([BasicAuthentication], 'Basic realm="api"'),
    ],
)
def test_nobody_is_asked_who_he_is(classes: list[Any], challenge: str) -> None:
    class View(JSONView):
        authentication_classes = classes
        permission_classes = (IsAuthenticated,)

        def get(self, request: Request) -> Response:
            return Response({})

    response = View.as_view()(APIRequestFactory().get("/rest/x"))
    refused(response, status=401, code="not_authenticated")
    assert response.headers["WWW-Authenticate"] == challenge


def test_who_comes_without_a_name_is_not_told_what_is_wrong_with_the_body() -> None:
    class View(JSONView):
        authentication_classes = (BasicAuthentication,)
        permission_classes = (IsAuthenticated,)

        def post(self, request: Request) -> Response:
            return Response(request.data)

    refused(View.as_view()(request(b"[")), status=401, code="not_authenticated")


def test_messages_of_others_stand_behind_the_field() -> None:
    error = exceptions.ValidationError({"site": ["Not a valid string."]}, code="invalid")
    body = refused(raising(error), status=400, code="invalid")
    assert body["message"] == "site: Not a valid string."


def test_errors_of_lists_are_found_in_both_of_drf_s_forms() -> None:
    as_list = exceptions.ValidationError({"jobs": [{}, {"lfn": ["is odd"]}]}, code="odd")
    by_index: dict[Any, Any] = {1: {"lfn": ["is odd"]}}
    as_dict = exceptions.ValidationError({"jobs": by_index}, code="odd")
    places = [problems.problem_of(error).fields[0]["field"] for error in (as_list, as_dict)]
    assert places == ["jobs[1].lfn", "jobs[1].lfn"]


def test_an_error_of_no_field_is_one_of_the_body() -> None:
    error = exceptions.ValidationError({"non_field_errors": ["starts after it ends"]}, code="order")
    body = refused(raising(error), status=400, code="order")
    assert body["fields"] == []
    assert body["message"] == "the body starts after it ends"


def test_an_answer_lists_a_thousand_faults_and_no_more() -> None:
    faults: dict[str, Any] = {"jobs": {i: ["is odd"] for i in range(3000)}}
    body = refused(raising(exceptions.ValidationError(faults)), status=400, code="invalid")
    assert len(body["fields"]) == 1000


# -- Django's own handlers --------------------------------------------------------------------


def handled(path: str, **headers: Any) -> HttpResponse:
    asked = RequestFactory().get(path, **headers)
    return problems.page_not_found(asked, Http404("tried: ^admin/"))


@pytest.mark.parametrize("path", ["/rest/v1/nothing", "/api/v1/x", "/server/panda/x", "/healthz/x"])
def test_programs_get_a_problem(path: str) -> None:
    refused(handled(path), status=404, code="not_found")


def test_who_accepts_only_json_gets_a_problem_anywhere() -> None:
    refused(handled("/jobs/7/", HTTP_ACCEPT="application/json"), status=404, code="not_found")


def test_people_get_a_page() -> None:
    response = handled("/jobs/7/", HTTP_ACCEPT="text/html,application/json;q=0.9")
    text = response.content.decode()
    assert (response.status_code, response.headers["Content-Type"]) == (
        404,
        "text/html; charset=utf-8",
    )
    assert "404 Not Found" in text and "There is nothing here." in text
    assert "admin" not in text


def test_a_page_escapes_what_it_shows() -> None:
    response = problems.bad_request(RequestFactory().get("/"), django_errors.BadRequest("<script>"))
    assert b"<script>" not in response.content


def test_a_crash_is_a_500_and_a_lost_database_a_503() -> None:
    def crash(error: Exception) -> HttpResponse:
        try:
            raise error
        except (KeyError, OperationalError):  # what Django does around handler500
            return problems.server_error(RequestFactory().get("/rest/v1/jobs"))

    refused(crash(KeyError("x")), status=500, code="internal_error")
    lost = crash(OperationalError("server closed the connection"))
    refused(lost, status=503, code="database_unavailable")
    assert lost.headers["Retry-After"] == "5"


def test_the_other_handlers_have_their_status() -> None:
    asked = RequestFactory().post("/rest/v1/jobs")
    big = problems.bad_request(asked, django_errors.RequestDataTooBig())
    refused(big, status=413, code="too_large")
    assert "max_bytes" in json.loads(big.content)["limit"]
    denied = problems.permission_denied(asked, django_errors.PermissionDenied())
    refused(denied, status=403, code="permission_denied")
    refused(problems.csrf_failure(asked, "no cookie"), status=403, code="csrf_failed")
