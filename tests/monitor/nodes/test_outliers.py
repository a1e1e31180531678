"""The rule that says which nodes fail more than the others."""

from __future__ import annotations

import pytest

from monitor.nodes.outliers import HIGH, VERY_HIGH, outlier, rate


@pytest.mark.parametrize(
    ("finished", "failed", "average", "name"),
    [
        (0, 0, 0.0, ""),
        (0, 5, 1.0, ""),  # too few failures
        (54, 6, 1.0, ""),  # 10 %: not over it
        (44, 6, 2.4, HIGH),  # 12 %: five times the average
        (44, 6, 2.5, ""),  # 12 %: less than five times
        (79, 21, 15.0, HIGH),  # over 20 %
        (80, 20, 15.0, ""),
        (44, 6, 1.2, VERY_HIGH),  # ten times the average
        (49, 51, 60.0, VERY_HIGH),  # over 50 %
        (50, 50, 60.0, HIGH),
        (0, 6, 100.0, VERY_HIGH),
    ],
)
def test_a_black_hole_fails_much_more_than_the_others(
    finished: int, failed: int, average: float, name: str
) -> None:
    assert outlier(finished=finished, failed=failed, average=average) == name


def test_the_rate_of_nothing_is_nought() -> None:
    assert (rate(0, 0), rate(3, 1)) == (0, 25)
