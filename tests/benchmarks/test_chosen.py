"""Which figures a word means."""

from __future__ import annotations

import pytest

from benchmarks.figures import GROUPS, chosen


def names(*words: str) -> set[str]:
    return {name for group in chosen(words) for name in group.figures}


def test_no_word_means_all():
    assert chosen([]) == list(GROUPS)


def test_a_name_means_the_group_that_measures_it():
    assert names("claim_p99") == {
        "claim_sql", "claim_together", "claim_http", "claim_p99", "claim_bulk",
    }  # fmt: skip
    assert names("submit") == {"submit"}


def test_the_beginning_of_names_means_all_of_them():
    assert {"claim_http_1m", "claim_http_nonmatching", "claim_sql"} <= names("claim")
    assert names("heartbeat") == {"heartbeat", "heartbeat_bulk"}


def test_an_unknown_word_is_refused_with_the_names_that_there_are():
    with pytest.raises(LookupError, match=r"no figure speed; there are claim_sql.*silent_sweep"):
        chosen(["speed"])


def test_every_figure_is_measured_by_one_group():
    figures = [name for group in GROUPS for name in group.figures]

    assert len(figures) == len(set(figures))
