"""Three storage elements of two clouds, with transfers that ended and some that wait."""

from __future__ import annotations

import datetime as dt
from typing import Any

from datasets import flowsums
from datasets.models import StorageElement, Transfer
from tests.builders import (
    NOW,
    create_cloud,
    create_file,
    create_site,
    create_transfer,
    local_storage,
)


def links(now: dt.datetime = NOW) -> dict[str, StorageElement]:
    """BNL -> LPC fails a lot, BNL -> AGLT2 goes well, to LPC some wait."""
    made = {
        name: local_storage(create_site(name, cloud=create_cloud(cloud)))
        for name, cloud in (("BNL", "US"), ("AGLT2", "US"), ("LPC", "FR"))
    }
    recent = now - dt.timedelta(minutes=30)
    for _ in range(3):
        end(made, "BNL", "AGLT2", "done", recent, bytes_moved=10**9)
    end(made, "BNL", "LPC", "done", recent, bytes_moved=500, attempts=2, activity="analysis",
        vo="atlas")  # fmt: skip
    for nr in range(2):
        end(made, "BNL", "LPC", "failed", recent + dt.timedelta(minutes=nr), attempts=3,
            error=f"no space left on device, file {nr}", reason="no space left")  # fmt: skip
    end(made, "BNL", "LPC", "failed", now - dt.timedelta(hours=30), error="old", reason="timed out")
    for hours, error in ((1, ""), (30, "it timed out")):
        create_transfer(
            create_file(), made["LPC"], created_at=now - dt.timedelta(hours=hours),
            next_try_at=now + dt.timedelta(minutes=30), error=error,
            reason="timed out" if error else "", attempts=1 if error else 0,
        )  # fmt: skip
    flowsums.run(now)
    return made


def end(
    made: dict[str, StorageElement],
    source: str,
    destination: str,
    state: str,
    at: dt.datetime,
    **more: Any,
) -> Transfer:
    given = {"attempts": 1, "started_at": at, "ended_at": at, "source": made[source]}
    return create_transfer(create_file(), made[destination], state=state, **given | more)
