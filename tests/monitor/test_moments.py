"""Moments in sentences: the browser can show each in the zone of the reader."""

from __future__ import annotations

import datetime as dt

import pytest

from monitor.moments import in_zones

NOW = dt.datetime(2009, 12, 31, 23, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2009-09-20 12:00 UTC", "2009-09-20T12:00:00Z"),
        ("2009-09-20 12:00:07 UTC", "2009-09-20T12:00:07Z"),
        ("12-30 12:00 UTC", "2009-12-30T12:00:00Z"),
        ("01-02 12:00 UTC", "2010-01-02T12:00:00Z"),
        ("23:10:05 UTC", "2009-12-31T23:10:05Z"),
        ("00:10 UTC", "2010-01-01T00:10:00Z"),
        ("02-29 12:00 UTC", "2008-02-29T12:00:00Z"),
    ],
)
def test_a_moment_is_the_nearest_that_fits_what_is_said(said: str, meant: str) -> None:
    # given
    now = NOW.replace(year=2008) if said.startswith("02-29") else NOW
    # then
    shown = said.removesuffix(" UTC")
    assert in_zones(f"banned until {said}: disk full", now=now) == (
        f'banned until <time datetime="{meant}" title="{meant}">{shown}</time>'
        " <span data-zone>UTC</span>: disk full"
    )


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "12:00", "99-99 12:00 UTC", "02-30 12:00 UTC", "25:00 UTC", "12:00 UTCX"],
)
def test_what_is_no_moment_stays_as_it_is(text: str) -> None:
    assert in_zones(text, now=NOW) == text


def test_a_sentence_is_text_and_no_markup() -> None:
    told = in_zones("<b>x</b> 12-30 12:00 UTC <script>", now=NOW)

    assert told.startswith("&lt;b&gt;x&lt;/b&gt; <time ")
    assert told.endswith(" &lt;script&gt;")
