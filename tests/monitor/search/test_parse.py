"""What a text in the search box may mean."""

import pytest

from monitor.search.parse import parse


@pytest.mark.parametrize(("text", "number"), [
    ("1099", 1099), (" 17 ", 17), ("0", 0), ("9223372036854775807", 2**63 - 1),
    ("9223372036854775808", None), ("1" * 30, None), ("-1", None), ("1.5", None), ("١٢", None),
    ("evgen", None), ("", None),
])  # fmt: skip
def test_a_number_is_digits_that_fit_a_key(text, number):
    assert parse(text).number == number


@pytest.mark.parametrize(("text", "component", "code"), [
    ("pilot:1099", "pilot", 1099), ("trans: 40", "trans", 40), ("exe:-1", "exe", -1),
    ("pilot:", "", None), ("pilot", "", None), ("pilot:x", "", None),
    ("pilot:99999999999", "pilot", None),
])  # fmt: skip
def test_an_error_is_a_component_and_a_code(text, component, code):
    asked = parse(text)

    assert (asked.component, asked.code) == (component, code)


def test_a_guid_is_known_by_its_form():
    guid = "7C1F2A60-5b8e-4f0a-9d3e-2b6c8a4e1f00"

    assert parse(guid).guid == guid
    assert parse(guid[:-1]).guid == ""


def test_a_state_is_known_in_any_case():
    assert parse("Failed").state == "failed"
    assert parse("failing").state == ""


def test_every_name_that_begins_with_the_text_lies_between_low_and_high():
    asked = parse("mc09_%")

    for name in ("mc09_%", "mc09_%a", "mc09_%\U0010fffd", "mc09_%\u00e9"):
        assert asked.low <= name < asked.high
    for name in ("mc09_", "mc09", "mc09_&", "mc09a%"):
        assert not asked.low <= name < asked.high
