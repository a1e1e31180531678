"""Byte ranges: whatever the header says, what is handed out lies in the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandasite.base.ranges import RangeNotSatisfiable, Span, span_of

number = st.integers(0, 10**25).map(str) | st.integers(0, 30).map(str) | st.just("")
headers = st.builds("bytes={}-{}".format, number, number) | st.text("bytes=-, 0123456789x").map(
    "bytes={}".format
)


@given(headers, st.integers(0, 20))
def test_a_part_lies_in_the_file_and_has_a_byte_at_least(header: str, size: int) -> None:
    try:
        span = span_of(header, size=size)
    except RangeNotSatisfiable as error:
        assert error.size == size
        return
    assert span is None or 0 <= span.start < span.start + span.length <= size


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
def test_a_part_is_what_a_slice_would_be(first: int, last: int, size: int) -> None:
    # given
    data = bytes(range(size))
    expected = data[first : last + 1] if first <= last else b""
    # when
    try:
        span = span_of(f"bytes={first}-{last}", size=size) or Span(0, size)
    except RangeNotSatisfiable:
        span = Span(0, 0)
    # then
    assert data[span.start : span.start + span.length] == expected


@pytest.mark.parametrize("header", ["bytes=0-" + "9" * 5000, "bytes=-" + "9" * 5000])
def test_an_end_of_any_length_is_the_end_of_the_file(header: str) -> None:
    assert span_of(header, size=7) == Span(0, 7)


def test_a_start_of_any_length_is_behind_the_end() -> None:
    with pytest.raises(RangeNotSatisfiable):
        span_of("bytes=" + "9" * 5000 + "-", size=7)
