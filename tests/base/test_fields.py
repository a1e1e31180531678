"""The strict fields: what each takes, what it refuses, and with which word."""

import datetime as dt
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field

from pandasite.base.serializers import (
    Adler32Field,
    AwareDateTimeField,
    ChoiceField,
    DatasetNameField,
    GuidField,
    LfnField,
    ScopeField,
    StrictBooleanField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
)

GUID = "7C1F2A60-5B8E-4F0A-9D3E-2B6C8A4E1F00"


def refusal(field: Field[Any, Any, Any, Any], value: Any) -> tuple[str, dict[str, Any]]:
    """Code and limit of the refusal of `value`."""
    with pytest.raises(ValidationError) as caught:
        field.run_validation(value)
    (detail,) = caught.value.detail
    code = detail.code  # type: ignore[union-attr]
    return str(code), dict(getattr(code, "limit", {}))


@pytest.mark.parametrize("value", [0, 7, 10])
def test_an_integer_in_its_range_is_taken(value: int) -> None:
    assert StrictIntegerField(min_value=0, max_value=10).run_validation(value) == value


@pytest.mark.parametrize("value", [True, False, 1.0, 1.5, "1", "", [], {}, b"1"])
def test_what_only_looks_like_an_integer_is_refused(value: Any) -> None:
    field = StrictIntegerField(min_value=0, max_value=10)
    assert refusal(field, value) == ("not_an_integer", {"min": 0, "max": 10})


@pytest.mark.parametrize("value", [-1, 11, 2**63, 10**4000])
def test_an_integer_out_of_its_range_is_refused(value: int) -> None:
    field = StrictIntegerField(min_value=0, max_value=10)
    assert refusal(field, value) == ("out_of_range", {"min": 0, "max": 10})


def test_a_number_needs_no_point() -> None:
    assert StrictFloatField(min_value=0, max_value=10).run_validation(3) == 3.0


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "not_a_number"),
        ("1.5", "not_a_number"),
        (float("nan"), "not_a_number"),
        (float("inf"), "not_a_number"),
        (10.01, "out_of_range"),
        (-0.1, "out_of_range"),
    ],
)
def test_a_wrong_number_is_refused(value: Any, code: str) -> None:
    field = StrictFloatField(min_value=0, max_value=10)
    assert refusal(field, value) == (code, {"min": 0, "max": 10})


@pytest.mark.parametrize("value", [0, 1, "true", "yes", "", []])
def test_only_true_and_false_are_booleans(value: Any) -> None:
    assert StrictBooleanField().run_validation(True) is True
    assert refusal(StrictBooleanField(), value)[0] == "not_a_boolean"


def test_a_text_is_kept_as_it_came() -> None:
    assert StrictCharField(max_length=9).run_validation(" Zürich ") == " Zürich "


@pytest.mark.parametrize("value", [7, 1.5, True, ["a"], {"a": 1}])
def test_other_kinds_are_not_made_texts(value: Any) -> None:
    assert refusal(StrictCharField(max_length=9), value) == ("not_text", {"max": 9})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "blank"),
        (" \t ", "blank"),
        ("x" * 10, "too_long"),
        ("x", "too_short"),
        ("a\0b", "null_character"),
        ("a\ud800", "bad_character"),
        ("two\nlines", "control_character"),
        ("two\rlines", "control_character"),
        ("\x1b[31mred", "control_character"),
        ("a\x9bb", "control_character"),
        ("a\u2028b", "control_character"),
        ("a\u202eb", "control_character"),
    ],
)
def test_a_wrong_text_is_refused(value: str, code: str) -> None:
    assert refusal(StrictCharField(min_length=2, max_length=9), value)[0] == code


def test_many_lines_may_hold_what_a_program_writes() -> None:
    field = StrictCharField(max_length=99, multiline=True, allow_blank=True)
    assert field.run_validation("a\tb\r\n\x1b[31mred") == "a\tb\r\n\x1b[31mred"
    assert field.run_validation("") == ""
    assert refusal(field, "a\0b")[0] == "null_character"


@pytest.mark.parametrize(
    "value", ["2009-01-31T12:00:00Z", "2009-01-31 13:00:00+01:00", "2009-01-31T12:00:00.000+0000"]
)
def test_a_time_comes_out_in_utc(value: str) -> None:
    moment = AwareDateTimeField().run_validation(value)
    assert moment == dt.datetime(2009, 1, 31, 12, tzinfo=dt.UTC)
    assert moment.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2009-01-31T12:00:00", "timezone_required"),
        ("2009-01-31", "timezone_required"),
        ("2009-13-45T12:00:00Z", "invalid_time"),
        ("2009-02-30T12:00:00Z", "invalid_time"),
        ("yesterday", "invalid_time"),
        ("", "invalid_time"),
        (1233403200, "invalid_time"),
        (None, "null"),
        ("1" * 1000, "invalid_time"),
        ("0001-01-01T00:00:00+14:00", "out_of_range"),
        ("9999-12-31T23:59:59-14:00", "out_of_range"),
        ("1969-12-31T23:59:59Z", "out_of_range"),
    ],
)
def test_a_wrong_time_is_refused(value: Any, code: str) -> None:
    assert refusal(AwareDateTimeField(), value)[0] == code


@pytest.mark.parametrize("value", ["paused", "", 1, True, None, ["running"], {}])
def test_an_unknown_choice_is_answered_with_the_known_ones(value: Any) -> None:
    field = ChoiceField(choices=["running", "1", "True"], unknown_code="unknown_state")
    code, limit = refusal(field, value)
    assert code == ("null" if value is None else "unknown_state")
    assert value is None or limit == {"values": ["running", "1", "True"]}


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "EVNT.027086._00001.pool.root.1",
        "log-1+2_3.tgz",
        "0" * 250,
    ],
)
def test_a_file_name_is_taken(name: str) -> None:
    assert LfnField().run_validation(name) == name


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        "-rf",
        "_x",
        "a/b",
        "/etc/passwd",
        "..",
        "a..b",
        "a/../b",
        "a\\b",
        "a b",
        "a%2e%2e",
        "a:b",
        "naïve",
        "a\u2024\u2024b",
        "~root",
        "a;b",
        "$(id)",
    ],
)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    assert refusal(LfnField(), name)[0] == "bad_lfn"
    if "/" not in name:
        assert refusal(ScopeField(), name)[0] == "bad_scope"


def test_a_file_name_ends_where_it_ends() -> None:
    assert refusal(LfnField(), "a\n")[0] == "control_character"
    assert refusal(LfnField(), "0" * 251) == ("too_long", {"min": 0, "max": 250})


@pytest.mark.parametrize(
    "name",
    [
        "mc08.105001.pythia_minbias.evgen.EVNT.e349_tid027086",
        "mc08.105001.pythia_minbias.evgen.EVNT.e349_tid027086_dis1234",
        "user.JohnDoe/test.1/",
        "0" * 255,
    ],
)
def test_a_dataset_name_is_taken(name: str) -> None:
    assert DatasetNameField().run_validation(name) == name


@pytest.mark.parametrize("name", ["/mc08", "a//b", "a/../b", "..", "a b", "a*", "a:b", "é", "/"])
def test_a_wrong_dataset_name_is_refused(name: str) -> None:
    assert refusal(DatasetNameField(), name)[0] == "bad_dataset"


@pytest.mark.parametrize("value", ["ad:0A1B2C3D", "0a1b2c3d", "0A1B2C3D"])
def test_a_checksum_is_kept_bare_and_in_lower_case(value: str) -> None:
    assert Adler32Field().run_validation(value) == "0a1b2c3d"


@pytest.mark.parametrize(
    "value", ["a1b2c3d", "0x0a1b2c", "md5:0a1b2c3d", "0a1b2c3g", "AD:0a1b2c3d"]
)
def test_a_wrong_checksum_is_refused(value: str) -> None:
    assert refusal(Adler32Field(), value)[0] in ("bad_checksum", "too_long")


def test_a_guid_is_kept_in_lower_case() -> None:
    assert GuidField().run_validation(GUID) == GUID.lower()
    assert GuidField(allow_blank=True).run_validation("") == ""


@pytest.mark.parametrize(
    "value", [GUID.replace("-", ""), "{" + GUID[2:] + "}", GUID[:-1], "x" * 36]
)
def test_a_wrong_guid_is_refused(value: str) -> None:
    assert refusal(GuidField(), value)[0] == "bad_guid"
