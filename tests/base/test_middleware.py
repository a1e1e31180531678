"""What stands around every request: its id, its one log line, its headers, its error pages."""

import logging
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject
from pytest_django import Settings

from pandasite.base.logging import DJANGO_STRUCTLOG, LOG_MIDDLEWARE
from pandasite.base.middleware import _add_user
from tests.base.probe import refused


@pytest.fixture
def client(settings: Settings) -> Client:
    settings.ROOT_URLCONF = "tests.base.urls"
    settings.DEBUG = False
    settings.MIDDLEWARE = [
        *LOG_MIDDLEWARE,
        "pandasite.base.middleware.SecurityHeadersMiddleware",
        "pandasite.base.middleware.NullCharacterMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    for name, value in DJANGO_STRUCTLOG.items():
        setattr(settings, name, value)
    return Client(raise_request_exception=False)


def request_lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """The events that django-structlog wrote, one dict each."""
    records = [r for r in caplog.records if r.name.startswith("django_structlog")]
    return [record.msg if isinstance(record.msg, dict) else record for record in records]


def test_a_request_gets_an_id_and_gives_it_back(client: Client) -> None:
    response = client.get("/echo")
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["X-Request-ID"])
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_a_harmless_id_of_the_client_is_kept(client: Client) -> None:
    assert client.get("/echo", HTTP_X_REQUEST_ID="pilot-7").headers["X-Request-ID"] == "pilot-7"


@pytest.mark.parametrize("given", ["x" * 65, "a b", "a\r\nSet-Cookie: x=1", "é", "{}", "a_b", ""])
def test_another_id_is_replaced(client: Client, given: str) -> None:
    answered = client.get("/echo", HTTP_X_REQUEST_ID=given).headers["X-Request-ID"]
    assert answered != given and len(answered) == 36


def test_a_problem_has_the_id_of_its_answer(client: Client) -> None:
    for path in ("/rest/probe", "/rest/nothing", "/rest/crash", "/rest/away"):
        response = client.get(path, HTTP_X_REQUEST_ID="pilot-7")
        assert response.json()["request_id"] == response.headers["X-Request-ID"] == "pilot-7"


def test_errors_in_pages_are_answered_after_who_asks(client: Client) -> None:
    refused(client.get("/rest/nothing"), status=404, code="not_found")
    refused(client.get("/rest/crash"), status=500, code="internal_error")
    refused(client.get("/rest/away"), status=503, code="database_unavailable")
    for path, status in [("/nothing", 404), ("/crash", 500), ("/away", 503), ("/forbidden", 403)]:
        response = client.get(path)
        assert response.status_code == status
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"secret" not in response.content


def test_a_host_that_is_not_ours_is_a_bad_request(client: Client) -> None:
    assert client.get("/echo", HTTP_HOST="evil.example").status_code == 400


@pytest.mark.parametrize("path", ["/rest/probe?site=%00", "/rest/pro%00be", "/rest/probe?a%00=1"])
def test_a_null_in_the_address_is_refused(client: Client, path: str) -> None:
    refused(client.get(path), status=400, code="null_character")


def test_a_null_in_the_address_of_a_page_is_refused(client: Client) -> None:
    assert client.get("/echo?search=%00").status_code == 400


def test_answers_of_the_api_are_not_cached(client: Client) -> None:
    assert client.get("/rest/probe").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in client.get("/echo").headers


def test_every_answer_has_the_security_headers(client: Client) -> None:
    for path in ("/echo", "/rest/nothing", "/crash"):
        headers = client.get(path).headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


def test_a_crash_is_logged_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        client.get("/crash")
    errors = [
        r for r in caplog.records if r.levelno >= logging.ERROR and r.name != "django.request"
    ]
    assert len(errors) == 1


def test_a_line_names_the_user_that_was_looked_up() -> None:
    request, facts = RequestFactory().get("/"), dict[str, Any]()
    request.user = User(pk=7)
    _add_user(request=request, log_kwargs=facts)
    assert facts == {"user_id": 7}


def test_a_line_does_not_look_the_user_up() -> None:
    def asked() -> User:
        raise AssertionError("the database was asked")

    request, facts = RequestFactory().get("/"), dict[str, Any]()
    request.user = SimpleLazyObject(asked)  # type: ignore[assignment]
    _add_user(request=request, log_kwargs=facts)
    _add_user(request=RequestFactory().get("/"), log_kwargs=facts)
    assert facts == {}
