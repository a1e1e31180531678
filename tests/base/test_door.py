"""The programs' way in: no middleware of pages, and all that guards them."""

import logging
import re
from typing import Any

import pytest
from django.test import Client

from jobs.api.urls import urlpatterns as rest_addresses
from pandasite.base.door import HEADERS
from tests.api.calls import CLAIM, POSTS, client, pilot, problem, send

pytestmark = pytest.mark.django_db
CLAIMS = POSTS[0]


def test_an_answer_to_a_program_may_be_neither_run_nor_framed_nor_kept() -> None:
    headers = send(pilot(), CLAIMS, CLAIM).headers

    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers and "Vary" not in headers


def test_an_answer_says_how_long_it_is() -> None:
    answer = send(pilot(), CLAIMS, CLAIM)

    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_host_that_is_not_ours_is_refused() -> None:
    problem(send(pilot(), CLAIMS, CLAIM, HTTP_HOST="evil.example"), 400, "bad_request")


def test_each_address_of_the_programs_goes_past_the_middleware_of_pages() -> None:
    """Whatever it answers, it is no page: nothing of it may be run."""
    plain = [re.sub(r"<\w+:\w+>", "1", str(entry.pattern)) for entry in rest_addresses]
    found = {path: Client().get(f"/rest/v1/{path}").headers for path in plain}

    assert {
        path: headers["Content-Security-Policy"]
        for path, headers in found.items()
        if headers["Content-Security-Policy"] != HEADERS["Content-Security-Policy"]
    } == {}
    assert len(found) == len(rest_addresses)


def test_pages_and_the_document_go_through_all_middleware(client: Client) -> None:
    for path in ("/", "/rest/v1/docs"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy


def test_a_claim_that_goes_well_leaves_no_line(caplog: pytest.LogCaptureFixture) -> None:
    who = pilot()
    with caplog.at_level(logging.INFO):
        send(who, CLAIMS, CLAIM)

    assert lines(caplog) == []


def test_a_claim_that_is_refused_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        send(client(), CLAIMS, CLAIM)

    (line,) = lines(caplog)
    assert (line["code"], line["request"]) == (401, "POST /rest/v1/pilot/claim")
    assert line["request_id"]


def test_a_claim_that_crashes_leaves_one_line_with_its_trace(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = pilot()
    monkeypatch.setattr("jobs.many_claims.CLAIMS", "SELECT 1/0")
    with caplog.at_level(logging.INFO):
        problem(send(who, CLAIMS, CLAIM), 500, "internal_error")

    (line,) = lines(caplog)
    assert (line["code"], line["problem"]) == (500, "internal_error")
    assert "division by zero" in caplog.text


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [r.msg for r in caplog.records if r.name.startswith("django_structlog")]
