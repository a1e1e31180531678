"""What was measured last becomes a page: each figure with its limit, and why one does not hold."""

from __future__ import annotations

from pathlib import Path

from benchmarks import table
from benchmarks.result import Bound, Figure, keep, ratio_of


def test_a_page_has_the_figures_in_their_order_with_what_was_found(tmp_path: Path) -> None:
    # given
    claims = {"unit": "claims/s", "must": ratio_of(0.2), "stretch": ratio_of(0.35)}
    busy = {"with": {"foreign_cores": 0.5}, "without": {"foreign_cores": 0.1}}
    late = Bound(limit=40, at_most=True, unit="ms")
    for figure in (
        Figure(figure="atlas", value=0.49, unit="cores", must=Bound(limit=1, at_most=True)),
        Figure(figure="claim_http", value=1764.0, baseline=2015.0, details=busy, **claims),
        Figure(figure="claim_p99", value=48.67, unit="ms", must=late),
        Figure(
            figure="claim_bulk", value=90.0, baseline=10.0, conditions={"right": False}, **claims
        ),
    ):
        keep(figure, tmp_path, more={"scale": 0.3, "day": "2009-09-17"})

    # when
    lines = table.page(tmp_path, ["claim_http", "submit", "claim_bulk"]).splitlines()

    # then
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-4:]]
    assert [row[0] for row in rows] == ["`claim_http`", "`claim_bulk`", "`atlas`", "`claim_p99`"]
    assert rows[0][1:4] == ["1,764 claims/s", "2,015 claims/s", "0.875"]
    assert [row[6] for row in rows] == [
        "yes, and reaches more",
        "**no**; not: right",
        "yes",
        "**no**",
    ]
    assert rows[0][7:] == ["0.5", "0.3", "2009-09-17"]


def test_what_could_not_be_measured_says_why(tmp_path: Path) -> None:
    keep(Figure(figure="x", unit="ms", must=ratio_of(1), why="no disk"), tmp_path, more={})

    assert "| `x` | no disk |" in table.page(tmp_path, [])
