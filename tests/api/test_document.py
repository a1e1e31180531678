"""/rest/v1/schema and /rest/v1/docs: open to all, whatever comes along with the question."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils.translation import trans_real

from tests.api.calls import client, person, problem
from tests.api.test_auth import BAD_TOKENS

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("path", ["/rest/v1/schema", "/rest/v1/docs"]),
]
KNOWN = {"/rest/v1/schema": ["format"], "/rest/v1/docs": ["script"]}


def get(path: str, **headers: str) -> Any:
    return client().get(path, **headers)  # type: ignore[arg-type]


def test_nobody_needs_a_token(path: str) -> None:
    assert get(path).status_code == 200


@pytest.mark.parametrize("value", [*BAD_TOKENS, "Bearer x", "token", ""])
def test_no_token_is_looked_at(path: str, value: str) -> None:
    assert get(path, HTTP_AUTHORIZATION=value).status_code == 200


def test_a_banned_account_reads_what_everybody_reads(path: str) -> None:
    # given
    who = person()
    get_user_model().objects.update(is_active=False)
    # then
    assert who.get(path).status_code == 200


@pytest.mark.parametrize(
    "query", ["version=1", "version=a%0ab", "lang=de", "lang=a%0ab", "x=1", f"{'x' * 10_000}=1"]
)
def test_an_unknown_parameter_is_refused_with_the_known_ones(path: str, query: str) -> None:
    refused = problem(get(f"{path}?{query}"), 400, "unknown_filter")

    assert refused["fields"][0]["limit"] == {"values": KNOWN[path]}
    assert len(refused["message"]) < 200


def test_languages_are_not_collected(path: str) -> None:
    # given
    get(path)
    kept = len(trans_real._translations)
    # when
    for n in range(10):
        get(f"{path}?lang=x{n}")
    # then
    assert len(trans_real._translations) == kept


def test_a_form_that_there_is_not_is_refused(path: str) -> None:
    refused = problem(get(f"{path}?format=x%0Ay"), 400, "unknown_value")

    assert refused["fields"][0]["field"] == "format"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_document_is_only_read(path: str, method: str) -> None:
    problem(getattr(client(), method)(path), 405, "method_not_allowed")


def test_a_document_has_a_fixed_name_and_comes_in_two_forms(path: str) -> None:
    plain, as_json = get("/rest/v1/schema"), get("/rest/v1/schema?format=json")

    assert plain.headers["Content-Disposition"] == 'inline; filename="pandasite.yaml"'
    assert as_json.json()["info"]["title"] == "pandasite"
    assert "script" in get("/rest/v1/docs?script=").headers["Content-Type"]
