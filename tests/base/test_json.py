"""Strict decoding: what is refused, with which word and which place, and that nothing escapes."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pandasite.base.errors import DomainError
from pandasite.base.flaws import FLOAT_MAX, INT64_MAX, INT64_MIN, BadNumber
from pandasite.base.json import (
    BadBody,
    BodyTooLarge,
    loads_fields,
    loads_strict,
    path_text,
    read_capped,
)
from pandasite.base.plain import NotPlain

MEGABYTE = 1024 * 1024


def refusal(raw: bytes, **limits: int) -> DomainError:
    with pytest.raises(DomainError) as caught:
        loads_strict(raw, **{"max_bytes": MEGABYTE, **limits})
    return caught.value


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b" \r\n\t", "empty_body"),
        (b'{"a": 1', "bad_json"),
        (b'{"a": 1} 2', "bad_json"),
        (b"{'a': 1}", "bad_json"),
        (b'{"a": "line\nend"}', "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
        (b"[1]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b"[" * 500 + b"]" * 500, "too_deep"),
    ],
)
def test_a_body_that_is_no_object_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


@pytest.mark.parametrize(
    ("raw", "code", "place"),
    [
        (b'{"job_id":1,"job_id":2}', "duplicate_key", "job_id"),
        (b'{"jobs":[{},{"lfn":"a","lfn":"a"}]}', "duplicate_key", "jobs[1].lfn"),
        (b'{"a": NaN}', "not_a_number", "a"),
        (b'{"a": -Infinity}', "not_a_number", "a"),
        (b'{"a": [0, 1e400]}', "out_of_range", "a[1]"),
        (b'{"a": 9223372036854775808}', "out_of_range", "a"),
        (b'{"a": -9223372036854775809}', "out_of_range", "a"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out_of_range", "a"),
        (b'{"a": 0.' + b"1" * 5000 + b"}", "out_of_range", "a"),
        (rb'{"name": "x\u0000"}', "null_character", "name"),
        (rb'{"metadata": {"m": [{"k": "\u0000"}]}}', "null_character", "metadata.m[0].k"),
        (rb'{"metadata": {"m": "\ud83d"}}', "bad_character", "metadata.m"),
        (rb'{"metadata": {"\udc00": 1}}', "bad_character", r'metadata["\udc00"]'),
        (rb'{"a\u0000b": 1}', "null_character", r'["a\u0000b"]'),
        (nested(21), "too_deep", ".".join("a" * 20)),
    ],
)
def test_a_fault_inside_is_refused_with_its_place(raw: bytes, code: str, place: str) -> None:
    error = refusal(raw)
    assert (error.code, [f["field"] for f in error.fields]) == (code, [place])
    assert error.message.startswith(place)


def test_the_limits_are_named() -> None:
    integer = refusal(b'{"a": 9223372036854775808}').fields[0]["limit"]
    depth = refusal(nested(21)).fields[0]["limit"]
    beyond_all = refusal(b"[" * 100_000).fields[0]
    size = refusal(b'{"a": "0123456789"}', max_bytes=10)
    assert integer == {"min": INT64_MIN, "max": INT64_MAX}
    assert depth == {"max": 20}
    assert (beyond_all["field"], beyond_all["limit"]) == ("body", {"max": 20})
    assert isinstance(size, BodyTooLarge)
    assert (size.code, size.extra["limit"]) == ("too_large", {"max_bytes": 10})


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", "-1e400"])
def test_what_is_no_number_is_told_the_range_of_numbers(text: str) -> None:
    limit = refusal(b'{"a": ' + text.encode() + b"}").fields[0]["limit"]
    assert limit == {"min": -FLOAT_MAX, "max": FLOAT_MAX}


@pytest.mark.parametrize("text", ["NaN", "1e400", "9" * 5000, "0." + "1" * 100])
def test_a_bad_number_is_kept_for_who_knows_its_range(text: str) -> None:
    raw = b'{"a": [' + text.encode() + b"]}"
    kept = loads_strict(raw, max_bytes=MEGABYTE, keep_bad_numbers=True)["a"][0]
    assert isinstance(kept, BadNumber)
    with pytest.raises(TypeError):
        json.dumps(kept)


def test_what_lies_on_the_limit_is_taken() -> None:
    body = loads_strict(
        b'{"low": -9223372036854775808, "high": 9223372036854775807, "smile": "\\ud83d\\ude00"}',
        max_bytes=MEGABYTE,
    )
    assert body == {"low": INT64_MIN, "high": INT64_MAX, "smile": "\N{GRINNING FACE}"}
    assert loads_strict(nested(20), max_bytes=len(nested(20)))


def test_many_small_values_are_refused_before_they_take_memory() -> None:
    bomb = b'{"a":[' + b"[]," * 1_000_001 + b"[]]}"
    assert refusal(bomb, max_bytes=16 * MEGABYTE).code == "too_many_values"


def test_a_long_key_is_cut_in_the_place() -> None:
    error = refusal(b'{"' + b"k" * 5000 + b'": NaN}')
    assert len(error.fields[0]["field"]) < 80


def test_reading_stops_at_the_cap() -> None:
    class Endless:
        asked = 0

        def read(self, size: int) -> bytes:
            self.asked += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(BodyTooLarge):
        read_capped(stream, max_bytes=200_000)  # type: ignore[arg-type]
    assert stream.asked == 200_001


def test_a_path_reads_like_code() -> None:
    assert path_text(["jobs", 3, "input_files", 0, "lfn"]) == "jobs[3].input_files[0].lfn"
    assert path_text(["a b", "c"]) == '["a b"].c'
    assert path_text([]) == ""


# -- fuzzing: whatever comes, the answer is a clean object or one of our refusals --------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)
clean_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
clean = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT64_MIN, INT64_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | clean_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(clean_text, inner, max_size=4),
    max_leaves=20,
)
json_soup = st.text(alphabet='{}[]",:\\u0dn.-+eE18 \ntrfalsNI', max_size=60)


def assert_clean(value: Any, depth: int = 1) -> None:
    if isinstance(value, str):
        assert "\0" not in value
        value.encode("utf-8")
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, int):
        assert INT64_MIN <= value <= INT64_MAX
    elif isinstance(value, dict | list):
        assert depth <= 20
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            assert_clean(key, depth)
            assert_clean(item, depth + 1)


def decode_or_refuse(raw: bytes) -> None:
    try:
        body = loads_strict(raw, max_bytes=MEGABYTE)
    except (BadBody, BodyTooLarge) as error:
        json.dumps([error.code, error.message, error.fields]).encode("utf-8")
        assert error.code and error.message
    else:
        assert_clean(body)


@given(st.binary(max_size=200))
def test_random_bytes_are_decoded_or_refused(raw: bytes) -> None:
    decode_or_refuse(raw)


@given(json_soup)
@example("{" * 2000)
@example('{"a":' + "[{" * 300)
def test_json_like_text_is_decoded_or_refused(text: str) -> None:
    decode_or_refuse(text.encode())


@given(st.dictionaries(st.text(st.characters(), max_size=4), anything), st.booleans())
def test_documents_with_anything_in_them_are_decoded_or_refused(body: Any, escape: bool) -> None:
    decode_or_refuse(json.dumps(body, ensure_ascii=escape).encode("utf-8", "surrogatepass"))


@given(st.dictionaries(clean_text, clean, max_size=5))
def test_a_clean_document_comes_out_as_it_went_in(body: dict[str, Any]) -> None:
    assert loads_strict(json.dumps(body).encode(), max_bytes=MEGABYTE) == body


# -- the quick reader, for who checks every value ----------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"a": "x", "b": 1, "c": None},
        {"a": [{"b": "é"}, {"b": ["y", [], {"c": "z"}]}]},
        {"": ""},
    ],
    ids=["empty", "flat", "nested", "no-name"],
)
def test_the_quick_reader_gives_what_the_strict_one_does(body: dict[str, Any]) -> None:
    raw = json.dumps(body, ensure_ascii=False).encode()

    assert loads_fields(raw, max_bytes=MEGABYTE) == loads_strict(raw, max_bytes=MEGABYTE) == body


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": "x", "a": "x"}',
        b'{"a": "x", "b": [{"c": 1}, {"c": "y", "d": 2, "c": "y"}]}',
        b'{"a": {"b": "x"}, "a": {"b": "x", "c": "z"}}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"a": "\\""}',
        b'{"a": 1,}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=["twice", "texts", "below", "objects", "escaped", "quote", "no-json", "digits", "deep"],
)
def test_the_quick_reader_leaves_what_may_be_wrong_to_the_strict_one(raw: bytes) -> None:
    with pytest.raises(NotPlain):
        loads_fields(raw, max_bytes=MEGABYTE)
