"""How many pilots a site could use, and what limits that. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.grid.demand import Demand, demand

SITE: dict[str, Any] = {"activated": 50, "held": 90, "slots": 200, "cap": 0, "status": "online"}


@pytest.mark.parametrize(
    ("changes", "wanted", "limit"),
    [
        ({}, 50, "jobs"),
        ({"slots": 100}, 10, "slots"),
        ({"slots": 80}, 0, "slots"),
        ({"cap": 95}, 5, "cap"),
        ({"cap": 90}, 0, "cap"),
        ({"activated": 0}, 0, "jobs"),
        ({"status": "offline"}, 0, "site is offline"),
        ({"status": "brokeroff"}, 50, "jobs"),
    ],
)
def test_the_first_thing_used_up_limits_the_demand(
    changes: dict[str, Any], wanted: int, limit: str
) -> None:
    assert demand(**SITE | changes) == Demand(wanted=wanted, limit=limit)
