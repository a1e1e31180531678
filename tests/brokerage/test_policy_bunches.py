"""A bunch weighs what it would have to wait: what the pilots of a site cannot take at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.brokerage.facts import make_choice, make_needs, make_offer


@pytest.mark.parametrize(
    ("n_jobs", "facts", "weight", "more"),
    [
        (1, {"pilots_recent": 1}, 0.0, ""),
        (10, {"pilots_recent": 10}, 0.0, ""),
        (20, {"pilots_recent": 1}, 19.0, " + 19 of 20 more than its pilots take at once"),
        (20, {"pilots_recent": 5}, 3.0, " + 15 of 20 more than its pilots take at once"),
        (20, {"running": 12, "updating_nodes": 3, "pilots_recent": 5}, 0.0, ""),
        (
            20,
            {"running": 8, "updating_nodes": 4, "pilots_recent": 4, "activated": 4},
            2.0,
            " + 12 of 20 more than its pilots take at once",
        ),
    ],
    ids=["one job", "as many as pilots", "one pilot", "few pilots", "big nodes", "a queue too"],
)
def test_jobs_of_a_bunch_that_the_pilots_cannot_take_at_once_count_as_a_queue(
    n_jobs: int, facts: dict[str, Any], weight: float, more: str
) -> None:
    (verdict,) = make_choice(make_needs(n_jobs=n_jobs), make_offer(**facts)).verdicts

    assert verdict.weight == pytest.approx(weight)
    queue = facts.get("activated", 0)
    assert verdict.details[0].startswith(f"(0 assigned + {queue} activated{more}) / ")


def test_a_bunch_goes_where_it_can_start_and_a_single_job_where_the_queue_is_shorter() -> None:
    offers = [
        make_offer("A_ONE_SLOT", pilots_recent=1),
        make_offer("BIG", pilots_recent=40, activated=4),
    ]

    assert make_choice(make_needs(n_jobs=20), *offers).site == "BIG"
    assert make_choice(make_needs(n_jobs=1), *offers).site == "A_ONE_SLOT"
