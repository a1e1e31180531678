"""Query strings: what is accepted, and that a refusal names the value and the range."""

from __future__ import annotations

import datetime as dt

import pytest
from django.http import QueryDict

from monitor.params import Params, Period
from pandasite.base.errors import BadInput

NOW = dt.datetime(2009, 9, 17, 12, 34, tzinfo=dt.UTC)
BAD = {
    "hours=9e9": ("9e9", "1, 3, 12"),
    "hours=-1": ("-1", "1, 3, 12"),
    "hours=text": ("text", "1, 3, 12"),
    "limit=0": ("0", "between 1 and 1000"),
    "limit=1000000000": ("1000000000", "between 1 and 1000"),
    "limit=%D9%A3": ("٣", "from 1 to 1000"),
    "idle=12": ("12", "1h to 365d"),
    "idle=9999d": ("9999d", "1h to 365d"),
    "ended=0h": ("0h", "1h to 365d"),
    "ended=2009-13-45..": ("2009-13-45", "2000-01-01 to 2099-12-31"),
    "ended=..0001-01-01T00:00%2B14:00": ("0001-01-01", "2000-01-01 to 2099-12-31"),
    "ended=2009-01-01..yesterday": ("yesterday", "2000-01-01 to 2099-12-31"),
    "site=" + "x" * 10_000: ("xxx", "at most 255 characters"),
    "site=a&site=b": ("a and b", "given once"),
    "sit=a": ("sit", "known: hours"),
    "x" * 10_000 + "=1": ("xxx", "known: hours"),
}


def params(query: str) -> Params:
    known = ("hours", "limit", "idle", "ended", "site")
    return Params(QueryDict(query), known=known)


def read_all(query: str) -> None:
    found = params(query)
    found.choice("hours", ("1", "3", "12"))
    found.number("limit", low=1, high=1000)
    found.hours("idle")
    found.period("ended", now=NOW)
    found.text("site")


@pytest.mark.parametrize("query", BAD, ids=[query[:40] for query in BAD])
def test_a_bad_value_is_refused_with_the_value_and_the_range(query: str) -> None:
    # when
    with pytest.raises(BadInput) as refused:
        read_all(query)
    # then
    value, words = BAD[query]
    assert value in refused.value.message
    assert words in refused.value.message
    assert len(refused.value.message) < 600
    assert refused.value.fields[0]["field"]


def test_empty_values_do_not_count() -> None:
    assert params("hours=&site=+").values == {}


def test_a_span_starts_at_a_full_hour_as_the_dashboard_counts() -> None:
    assert params("ended=12h").period("ended", now=NOW) == Period(
        since=dt.datetime(2009, 9, 17, 0, 0, tzinfo=dt.UTC)
    )


def test_days_are_spans_of_24_hours() -> None:
    assert params("idle=7d").hours("idle") == 168


def test_two_times_are_a_period_in_utc_and_either_may_be_left_out() -> None:
    found = params("ended=2009-09-16T10:30..2009-09-17").period("ended", now=NOW)
    assert found == Period(
        since=dt.datetime(2009, 9, 16, 10, 30, tzinfo=dt.UTC),
        until=dt.datetime(2009, 9, 17, tzinfo=dt.UTC),
    )
    assert params("ended=2009-09-16..").period("ended", now=NOW).until is None


def test_a_time_with_a_zone_is_taken_at_its_word() -> None:
    found = params("ended=2009-09-16T10:30%2B02:00..").period("ended", now=NOW)
    assert found.since == dt.datetime(2009, 9, 16, 8, 30, tzinfo=dt.UTC)
