"""What a benchmark prints: one JSON object a line, with what was wanted and whether it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.result import Bound, Figure, keep, ratio_of, rounded


def claim(**fields: object) -> Figure:
    """A figure of 250 claims/s where 1,000 are the baseline."""
    given = {"value": 250.0, "baseline": 1000.0, "must": ratio_of(0.2)} | fields
    return Figure(figure="claim_http", unit="claims/s", **given)  # type: ignore[arg-type]


def test_a_line_is_one_json_object_with_what_the_table_needs():
    said = json.loads(claim(stretch=ratio_of(0.35)).line())

    assert said == {
        "figure": "claim_http",
        "value": 250.0,
        "unit": "claims/s",
        "baseline": 1000.0,
        "ratio": 0.25,
        "must": ">= 0.2 of the baseline",
        "holds": True,
        "stretch": ">= 0.35 of the baseline",
        "reaches": False,
    }


def test_a_ratio_is_judged_by_the_baseline_and_a_limit_by_the_value():
    assert not claim(baseline=2000.0).holds
    assert claim(must=Bound(limit=250, at_most=True, unit="ms")).holds
    assert not claim(must=Bound(limit=249, at_most=True, unit="ms")).holds


def test_a_condition_that_is_not_met_spoils_a_good_value():
    figure = claim(conditions={"every answer right": False})

    assert not figure.holds
    assert json.loads(figure.line())["conditions"] == {"every answer right": False}


def test_what_could_not_be_measured_does_not_hold_and_says_why():
    figure = claim(value=None, why="the server does not know n_jobs")

    said = json.loads(figure.line())

    assert said["holds"] is False
    assert (said["value"], said["ratio"]) == (None, None)
    assert said["why"] == "the server does not know n_jobs"


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (ratio_of(0.5), ">= 0.5 of the baseline"),
        (Bound(limit=40, at_most=True, unit="ms"), "<= 40 ms"),
        (Bound(limit=1, at_most=True), "<= 1"),
    ],
)
def test_a_bound_is_put_into_words(bound: Bound, words: str):
    assert str(bound) == words


def test_a_figure_is_kept_with_what_is_true_of_its_run(tmp_path: Path):
    path = keep(claim(), tmp_path / "results", more={"scale": 0.1})

    kept = json.loads(path.read_text(encoding="utf-8"))

    assert path.name == "claim_http.json"
    assert (kept["ratio"], kept["scale"]) == (0.25, 0.1)


def test_numbers_keep_four_digits_and_whole_ones_all():
    assert rounded({"a": [1234.5678, 0.00012345], "n": 1234567}) == {
        "a": [1235.0, 0.0001234],
        "n": 1234567,
    }
