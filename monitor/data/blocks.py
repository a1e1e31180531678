"""Blocks: jobs per state by the dispatch block that brings their input, or by destination block."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.urls import reverse

from brokerage.models import Site
from jobs.states import JobState
from monitor import columns
from monitor.lists import chosen
from monitor.params import Params
from monitor.sheets import Sheet, column
from monitor.words import SEED_ORDER, STATE_HELP, window_start

READ = 50_000  # jobs: the latest of the window
NO_BLOCK = "(none)"
KINDS = {"dispatch": "dispatch_d_block", "destination": "destination_d_block"}
_COUNT = """
SELECT block, state, count(*), max(state_change_time) FROM (
  SELECT {column} AS block, state, state_change_time FROM jobs_anyjob
  WHERE shelf >= %(since)s AND (end_time IS NULL OR end_time >= %(since)s)
    AND (%(site)s IS NULL OR computing_site_id = %(site)s)
    AND (%(task)s IS NULL OR task_id = %(task)s)
  ORDER BY panda_id DESC LIMIT %(most)s
) latest GROUP BY 1, 2
"""


@dataclass(kw_only=True)
class Block:
    """Jobs of a block by state."""

    name: str
    states: Counter[str] = field(default_factory=Counter)
    latest: dt.datetime | None = None

    def __getattr__(self, name: str) -> int:
        if name in SEED_ORDER:
            return self.states[name]
        raise AttributeError(name)

    jobs = property(lambda self: self.states.total())

    @property
    def failed_pct(self) -> float | None:
        """failed / (finished + failed)."""
        ended = self.states["finished"] + self.states["failed"]
        return 100 * self.states["failed"] / ended if ended else None

    @property
    def url(self) -> str:
        """The page of the dataset."""
        return "" if self.name == NO_BLOCK else reverse("monitor:dataset", args=[self.name])


class _Blocks(Sheet):
    name = columns.link("Block", "dataset; its page", url=lambda record: record.url, look="wrap")
    jobs = columns.number("Jobs", "the sum of all states")

    class Meta(Sheet.Meta):
        empty_text = "No job is under way, and none ended within the window."


_STATES: dict[str, Any] = {
    state: columns.number(state, STATE_HELP[JobState(state)]) for state in SEED_ORDER
}
_REST: dict[str, Any] = {
    "failed_pct": columns.percent("Failed %", "failed / (finished + failed)"),
    "latest": column("Latest (UTC)", "last change of a state", kind=columns.TimeColumn),
}
BlockSheet: type[Sheet] = type("BlockSheet", (_Blocks,), {"Meta": _Blocks.Meta} | _STATES | _REST)


def read(params: Params, *, now: dt.datetime) -> tuple[Sequence[Block], bool]:
    """The blocks of the latest READ jobs, the largest first; whether those were all."""
    kind = params.choice("kind", KINDS, default="dispatch")
    hours = params.number("hours", low=1, high=720) or 24
    site = chosen(params, "site", Site)
    values = {
        "since": window_start(now, hours),
        "site": site.pk if site else None,
        "task": params.number("task", low=1, high=2**63 - 1),
        "most": READ,
    }
    found: dict[str, Block] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(column=KINDS[kind]), values)
        for name, state, n, latest in cursor.fetchall():
            block = found.setdefault(name, Block(name=name or NO_BLOCK))
            block.states[state] += n
            block.latest = max(filter(None, [block.latest, latest]))
    rows = sorted(found.values(), key=lambda block: (block.name == NO_BLOCK, -block.jobs))
    return rows, sum(block.jobs for block in rows) < READ
