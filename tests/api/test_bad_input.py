"""Every address with every kind of bad input: exact status and code, never a 500."""

import gzip
import json

import pytest

from jobs.models import Job, JobEvent
from tests.api.calls import (
    GETS,
    POSTS,
    caller,
    changed,
    client,
    path_of,
    person,
    pilot,
    problem,
    send,
    with_raw,
)
from tests.builders import create_vo

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("address", POSTS, ids=str)]

# What is written into a text field, and the code that it gets.
TEXTS = {
    "NUL": (r'"a\u0000b"', "null_character"),
    "half a surrogate pair": (r'"a\ud800b"', "bad_character"),
    "a line end": (r'"a\nb"', "control_character"),
    "an escape": (r'"a\u001b[2Jb"', "control_character"),
    "a turn of direction": (r'"a\u202eb"', "control_character"),
    "a number": ("7", "not_text"),
    "a list": ('["a"]', "not_text"),
    "10,000 characters": (f'"{"x" * 10_000}"', "too_long"),
}
# What is written into an integer field.
INTEGERS = {
    "2^63": (str(2**63), "out_of_range"),
    "-2^63-1": (str(-(2**63) - 1), "out_of_range"),
    "minus one": ("-1", "out_of_range"),
    "5,000 digits": ("9" * 5000, "out_of_range"),
    "1e400": ("1e400", "out_of_range"),
    "NaN": ("NaN", "not_a_number"),
    "Infinity": ("-Infinity", "not_a_number"),
    "true": ("true", "not_an_integer"),
    "1.5": ("1.5", "not_an_integer"),
    "1.0": ("1.0", "not_an_integer"),
    "a text": ('"NULL"', "not_an_integer"),
    "an object": ("{}", "not_an_integer"),
}


@pytest.mark.parametrize(("value", "code"), TEXTS.values(), ids=TEXTS)
def test_a_bad_text_is_refused_with_its_place(address, value, code):
    answer = send(caller(address), address, with_raw(address.body, address.text, value))

    refused = problem(answer, 400, code)
    assert refused["fields"][0]["field"] == path_of(address.text)


@pytest.mark.parametrize(("value", "code"), INTEGERS.values(), ids=INTEGERS)
def test_a_bad_number_is_refused_with_its_place(address, value, code):
    answer = send(caller(address), address, with_raw(address.body, address.integer, value))

    refused = problem(answer, 400, code)
    assert refused["fields"][0]["field"] == path_of(address.integer)


@pytest.mark.parametrize("value", [value for value, _ in INTEGERS.values()], ids=INTEGERS)
def test_a_refused_number_is_told_its_range(address, value):
    answer = send(caller(address), address, with_raw(address.body, address.integer, value))

    (fault,) = answer.json()["fields"]
    megabytes = (0, 2**31 - 1)  # the others are numbers of jobs
    ranges = {"claim": megabytes, "submit": megabytes, "tasks": megabytes, "dataset": (1, 36_500)}
    low, high = ranges.get(address.name, (1, 2**63 - 1))
    assert fault["limit"] == {"min": low, "max": high}
    assert f"{fault['limit']['min']} " in fault["message"]
    assert str(high) in fault["message"]


def test_a_text_that_is_too_long_is_told_how_long_it_may_be(address):
    answer = send(caller(address), address, changed(address.body, address.text, "x" * 10_000))

    assert 64 <= answer.json()["fields"][0]["limit"]["max"] <= 255


BODIES = {
    "nothing": (b"", "empty_body"),
    "blanks": (b" \n ", "empty_body"),
    "no JSON": (b"site=AGLT2", "bad_json"),
    "a list": (b"[]", "not_an_object"),
    "a text": (b'"x"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "100,000 brackets": (b"[" * 100_000, "too_deep"),
    "21 levels": (b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", "too_deep"),
    "not UTF-8": (b'{"a": "\xff"}', "not_utf8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not_utf8"),
    "an unknown NaN": (b'{"x": NaN}', "not_a_number"),
    "NUL in a key": (b'{"a\\u0000": 1}', "null_character"),
}


@pytest.mark.parametrize(("raw", "code"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_object_is_refused(address, raw, code):
    problem(send(caller(address), address, raw), 400, code)


def test_a_body_that_was_cut_off_is_refused(address):
    raw = json.dumps(address.body)[:-2]

    problem(send(caller(address), address, raw), 400, "bad_json")


def test_a_repeated_key_is_refused(address):
    key = next(iter(address.body))
    raw = json.dumps(address.body)[:-1] + f', "{key}": 1}}'

    refused = problem(send(caller(address), address, raw), 400, "duplicate_key")
    assert refused["fields"][0]["field"] == key


def test_an_unknown_field_is_refused_with_the_names_that_are_close(address):
    place = (*address.text[:-1], address.text[-1] + "s")
    body = changed(address.body, place, "x")

    refused = problem(send(caller(address), address, body), 400, "unknown_field")
    assert refused["fields"][0]["field"] == path_of(place)
    assert address.text[-1] in refused["fields"][0]["limit"]["close"]


def test_an_empty_object_is_told_what_is_missing(address):
    answer = send(caller(address), address, b"{}")

    refused = problem(answer, 400, f"{next(iter(address.body))}_required")
    assert {one["field"] for one in refused["fields"]} <= address.body.keys()


def test_a_body_over_the_limit_is_refused_with_the_limit(address):
    raw = b'{"x": "' + b"x" * address.limit + b'"}'

    refused = problem(send(caller(address), address, raw), 413, "too_large")
    assert refused["limit"] == {"max_bytes": address.limit}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_another_content_type_is_refused(address, content_type):
    raw = json.dumps(address.body)

    answer = send(caller(address), address, raw, content_type=content_type)

    problem(answer, 415, "unsupported_media_type")


def test_another_charset_is_refused(address):
    answer = send(
        caller(address), address, address.body, content_type="application/json; charset=latin-1"
    )

    problem(answer, 415, "unsupported_charset")


def test_a_packed_body_is_refused(address):
    raw = gzip.compress(json.dumps(address.body).encode())

    answer = send(caller(address), address, raw, HTTP_CONTENT_ENCODING="gzip")

    problem(answer, 415, "unsupported_encoding")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(address, method):
    answer = caller(address).generic(method, address.path, b"{}", content_type="application/json")

    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png"])
def test_another_kind_of_answer_is_refused(address, accept):
    problem(send(caller(address), address, address.body, HTTP_ACCEPT=accept), 406, "not_acceptable")


def test_without_a_token_nothing_is_answered(address):
    answer = send(client(), address, address.body)

    problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_with_the_token_of_the_other_kind_nothing_is_answered(address):
    caller(address)
    stranger = person() if address.by == "pilot" else pilot()

    problem(send(stranger, address, address.body), 403, "permission_denied")


def test_a_refusal_changes_nothing(address):
    create_vo("atlas")
    bad = changed(address.body, address.text, "x" * 10_000)

    send(caller(address), address, bad)

    assert not Job.objects.exists()
    assert not JobEvent.objects.exists()


def test_a_refusal_may_be_as_long_as_it_likes_but_not_as_long_as_the_input(address):
    body = dict.fromkeys((f"field{n}" for n in range(2000)), 1)

    answer = send(caller(address), address, body)

    assert answer.status_code == 400
    assert len(answer.content) < 20_000


def test_every_get_address_is_known_to_these_tests(address):
    assert address.path not in GETS or address.name in ("submit", "tasks", "dataset")
