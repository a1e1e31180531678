"""What every JSON address answers to bad input, over HTTP: no row of it is a 500 or a 200."""

import gzip
from io import BytesIO
from typing import Any

import pytest
from django.http import UnreadablePostError
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory

from tests.base.probe import INT31, ProbeView, post, refused, request


def field(body: dict[str, Any]) -> dict[str, Any]:
    """The one field that the problem is about."""
    (only,) = body["fields"]
    return dict(only)


def test_a_good_body_is_understood() -> None:
    response = post({"site": "AGLT2", "memory_mb": 2000})
    assert (response.status_code, response.data) == (200, {"site": "AGLT2", "memory_mb": 2000})


@pytest.mark.parametrize(
    ("raw", "code", "name", "limit"),
    [
        (rb'{"site": "a\u0000"}', "null_character", "site", None),
        (rb'{"metadata": {"x": ["\u0000"]}}', "null_character", "metadata.x[0]", None),
        (rb'{"metadata": {"x": "\ud800"}}', "bad_character", "metadata.x", None),
        (b'{"memory_mb": 9223372036854775808}', "out_of_range", "memory_mb",
         {"min": 0, "max": INT31}),
        (b'{"memory_mb": 2147483648}', "out_of_range", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": -1}', "out_of_range", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": ' + b"7" * 3000 + b"}", "out_of_range", "memory_mb",
         {"min": 0, "max": INT31}),
        (b'{"memory_mb": NaN}', "not_a_number", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": 1e400}', "out_of_range", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"unknown": NaN}', "not_a_number", "unknown", ...),
        (b'{"metadata": {"m": [1e400]}}', "invalid", "metadata", None),
        (b'{"site": NaN}', "not_text", "site", {"max": 10}),
        (b'{"labels": NaN}', "not_a_list", "labels", None),
        (b'{"jobs": [NaN]}', "not_an_object", "jobs[0]", None),
        (b'{"memory_mb": true}', "not_an_integer", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": 1.5}', "not_an_integer", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": 1.0}', "not_an_integer", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"memory_mb": "12"}', "not_an_integer", "memory_mb", {"min": 0, "max": INT31}),
        (b'{"site": "01234567890"}', "too_long", "site", {"min": 0, "max": 10}),
        (b'{"site": 7}', "not_text", "site", {"max": 10}),
        (b'{"site": "a", "site": "b"}', "duplicate_key", "site", None),
        (b'{"at": "2009-01-01T00:00:00"}', "timezone_required", "at", None),
        (b'{"labels": "managed"}', "not_a_list", "labels", None),
        (b'{"labels": []}', "too_few", "labels", {"min": 1, "max": 3}),
        (b'{"labels": ["ok", "too long"]}', "too_long", "labels[1]", {"min": 0, "max": 5}),
        (b'{"jobs": [{"name": "a"}, 7]}', "not_an_object", "jobs[1]", None),
        (b'{"jobs": [{"name": "a", "input_files": [{"lfn": ".."}]}]}', "bad_lfn",
         "jobs[0].input_files[0].lfn", ...),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_field_and_limit(
    raw: bytes, code: str, name: str, limit: Any
) -> None:
    problem = field(refused(post(raw), status=400, code=code))
    assert (problem["field"], problem["code"]) == (name, code)
    assert problem["message"].startswith(name)
    assert limit is ... or problem.get("limit") == limit


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b"  ", "empty_body"),
        (b'{"site": "AG', "bad_json"),
        (b"\xff\xff", "not_utf8"),
        (b"[]", "not_an_object"),
        (b"[" * 4000, "too_deep"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(raw: bytes, code: str) -> None:
    refused(post(raw), status=400, code=code)


def test_an_empty_body_is_refused_also_without_a_content_type() -> None:
    response = ProbeView.as_view()(APIRequestFactory().post("/rest/probe"))
    refused(response, status=400, code="empty_body")


def test_a_large_body_is_refused_with_the_limit() -> None:
    body = refused(post(b'{"site": "' + b"x" * 5000 + b'"}'), status=413, code="too_large")
    assert body["limit"] == {"max_bytes": 4096}
    assert "4096 bytes" in body["message"]


def test_a_default_view_takes_one_megabyte() -> None:
    class DefaultView(ProbeView):
        max_body_bytes = super(ProbeView, ProbeView).max_body_bytes

    large = request(b'{"a": "' + b"x" * 3_000_000 + b'"}')
    body = refused(DefaultView.as_view()(large), status=413, code="too_large")
    assert body["limit"] == {"max_bytes": 1_048_576}


def test_a_content_length_that_says_too_little_does_not_let_more_in() -> None:
    # The rest of the body is not ours to read: what is there is a document cut off.
    response = post(b'{"site": "AGLT2"}' + b" " * 9000, CONTENT_LENGTH="5")
    refused(response, status=400, code="bad_json")


@pytest.mark.parametrize("length", ["", "0", "-7", "many", "9" * 8000])
def test_a_content_length_of_nonsense_is_an_answer_not_an_error(length: str) -> None:
    assert post({"site": "AGLT2"}, CONTENT_LENGTH=length).status_code in (400, 413)


def chunked(raw: bytes, *, ends: bool = True) -> Any:
    asked = request(b"", HTTP_TRANSFER_ENCODING="chunked")
    asked.META |= {"wsgi.input": BytesIO(raw), "wsgi.input_terminated": ends}
    return ProbeView.as_view()(asked)


def test_a_chunked_body_is_read_up_to_the_cap() -> None:
    assert chunked(b'{"site": "AGLT2"}').data == {"site": "AGLT2"}
    refused(chunked(b'{"site": "' + b"x" * 9000 + b'"}'), status=413, code="too_large")
    refused(chunked(b""), status=400, code="empty_body")


def test_a_chunked_body_whose_end_is_unknown_needs_a_length() -> None:
    refused(chunked(b'{"site": "AGLT2"}', ends=False), status=411, code="length_required")


def test_a_packed_body_is_refused() -> None:
    packed = gzip.compress(b'{"site": "' + b"x" * 1_000_000 + b'"}')
    response = post(packed, HTTP_CONTENT_ENCODING="gzip")
    refused(response, status=415, code="unsupported_encoding")


def test_an_identity_encoding_is_no_packing() -> None:
    assert post({"site": "AGLT2"}, HTTP_CONTENT_ENCODING="identity").status_code == 200


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("text/plain", "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "unsupported_media_type"),
        ("multipart/form-data; boundary=x", "unsupported_media_type"),
        ("application/json; charset=utf-16", "unsupported_charset"),
        ("application/json; charset=bz2_codec", "unsupported_charset"),
    ],
)
def test_a_wrong_content_type_is_refused(content_type: str, code: str) -> None:
    refused(post(b"site=AGLT2", content_type=content_type), status=415, code=code)


def test_a_wrong_method_is_refused_with_those_allowed() -> None:
    response = ProbeView.as_view()(APIRequestFactory().get("/rest/probe"))
    refused(response, status=405, code="method_not_allowed")
    assert response.headers["Allow"] == "POST, OPTIONS"


def test_an_accept_header_without_json_is_refused_in_json() -> None:
    refused(post({"site": "AGLT2"}, HTTP_ACCEPT="image/png"), status=406, code="not_acceptable")


def test_an_unknown_field_is_refused_with_the_close_names() -> None:
    body = refused(post({"memroy_mb": 1, "site": "AGLT2"}), status=400, code="unknown_field")
    assert field(body)["field"] == "memroy_mb"
    assert field(body)["limit"] == {"close": ["memory_mb"]}
    assert "memory_mb" in body["message"]


def test_all_faults_are_told_at_once() -> None:
    jobs = [{"name": "ok"}, {"name": 1, "input_files": [{"lfn": "a/b"}]}, {}]
    body = refused(post({"jobs": jobs, "state": "paused"}), status=400, code="unknown_state")
    assert [f["field"] for f in body["fields"]] == [
        "state",
        "jobs[1].name",
        "jobs[1].input_files[0].lfn",
        "jobs[2].name",
    ]
    assert body["fields"][0]["limit"] == {"values": ["running", "finished"]}


def test_a_missing_value_names_itself_in_the_code() -> None:
    refused(post({"jobs": [{}]}), status=400, code="name_required")
    refused(post({"jobs": [{"name": " "}]}), status=400, code="name_required")
    body = refused(post({"jobs": [{"name": None}]}), status=400, code="name_required")
    assert field(body)["code"] == "null"


def test_too_many_for_one_call_is_413_and_inside_an_item_400() -> None:
    body = refused(post({"jobs": [{"name": "a"}] * 4}), status=413, code="too_many")
    assert field(body)["limit"] == {"min": 1, "max": 3}
    files = [{"lfn": f"f{i}"} for i in range(3)]
    refused(post({"jobs": [{"name": "a", "input_files": files}]}), status=400, code="too_many")


def test_a_body_that_breaks_off_is_refused() -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise UnreadablePostError("gone")

    asked = request(b"{}")
    asked._stream = Broken()
    refused(ProbeView.as_view()(asked), status=400, code="incomplete_body")


names = st.sampled_from(["site", "memory_mb", "state", "at", "labels", "jobs", "metadata", "name"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(names, anything))
def test_no_document_is_an_error_of_ours(body: dict[str, Any]) -> None:
    assert post(body).status_code in (200, 400, 413)


@given(st.binary(max_size=100), st.text(st.characters(codec="latin-1"), max_size=20))
def test_no_bytes_and_no_content_type_are_an_error_of_ours(raw: bytes, kind: str) -> None:
    assert post(raw, content_type=f"application/json{kind}").status_code in (200, 400, 415)
