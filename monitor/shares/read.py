"""The tree of shares with what each has, should have and had, added up from its leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Sum

from jobs.models import ShareTally, ShareUse
from jobs.shares import facts
from jobs.shares.tree import Node
from jobs.states import JobState
from monitor import columns
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column
from monitor.words import window_start

NEAR = 5  # percent of all cores that a share may be off its target
DEEP = "\u2003"  # one for each share above it


@dataclass(frozen=True, kw_only=True)
class Row:
    """A share, with everything below it. Cores, jobs, and core seconds of 24 h."""

    name: str
    path: str
    depth: int
    percent: float
    working_group: str
    processing_type: str
    target: float
    used: int
    waiting: int
    core_s: int
    jobs_have: tuple[str, str]  # working group and processing type, of this share or above
    all_used: int  # of the whole grid
    all_core_s: int

    @property
    def shown(self) -> str:
        """The name, moved in below its parent."""
        return DEEP * self.depth + self.name

    @property
    def target_pct(self) -> float | None:
        """Of all cores in use."""
        return 100 * self.target / self.all_used if self.all_used else None

    @property
    def used_pct(self) -> float | None:
        """Of all cores in use."""
        return 100 * self.used / self.all_used if self.all_used else None

    @property
    def day_pct(self) -> float | None:
        """Of all core hours of 24 h."""
        return 100 * self.core_s / self.all_core_s if self.all_core_s else None

    @property
    def verdict(self) -> str:
        """`over`, `under` or `fair`; empty where nothing runs."""
        if self.used_pct is None or self.target_pct is None:
            return ""
        off = self.used_pct - self.target_pct
        return "over" if off > NEAR else "under" if off < -NEAR else "fair"

    @property
    def url(self) -> str:
        """What waits, where the job list can say it."""
        named = zip(("group", "processing_type"), self.jobs_have, strict=True)
        given = {name: value for name, value in named if value}
        return jobs_url(state=JobState.ACTIVATED, **given)


class ShareSheet(Sheet):
    """Shares, each below its parent."""

    shown = column(
        "Share", "its parts stand below it", accessor="name", order_by=("path",), orderable=True
    )
    path = column("Path", "all shares that it is a part of")
    percent = columns.percent("Of its parent", "as an administrator has set it")
    working_group = column("Working group", "of the jobs that belong to it; empty: any")
    processing_type = column("Processing type", "of the jobs that belong to it; empty: any")
    target = columns.number("Target", "cores that it should have of those in use; what a share"
        " has no work for goes to its siblings")  # fmt: skip
    used = columns.number("Used now", "cores that pilots hold for its jobs")
    target_pct = columns.percent("Target %", "of all cores in use")
    used_pct = columns.percent("Used %", "of all cores in use")
    verdict = column(
        "Verdict",
        f"over or under: more than {NEAR} % of all cores off its target",
        kind=columns.WordColumn,
        start="word word-",
    )
    core_s = columns.hours("Core h, 24 h", "hours of cores that it had within 24 hours")
    day_pct = columns.percent("24 h %", "of all core hours within 24 hours")
    waiting = columns.number(
        "Waiting", "activated jobs, as last tallied", url=lambda record: record.url
    )

    class Meta(Sheet.Meta):
        empty_text = "No round of the sweep jobs.shares has gone by yet."

    def render_shown(self, record: Row) -> str:
        """Moved in below its parent; a file has the name alone."""
        return record.shown


SHOWN = (
    "shown", "percent", "working_group", "processing_type", "target", "used", "target_pct",
    "used_pct", "verdict", "core_s", "day_pct", "waiting",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """The rows, when the sweep counted, and jobs that wait in no share."""

    rows: Sequence[Row]
    at: dt.datetime | None
    outside: int


def read(*, now: dt.datetime) -> Found:
    """The tree as of the last round of jobs.shares."""
    root = facts.load()
    tallies = {row.share_id: row for row in ShareTally.objects.all()}
    since = window_start(now, 24)
    uses = ShareUse.objects.filter(hour__gte=since).order_by().values_list("share")
    core_s = {share: int(n) for share, n in uses.annotate(n=Sum("core_s"))}
    rows: list[Row] = []
    whole = _Sum.of(root, tallies, core_s)
    _add(rows, root, (), whole, _Below(tallies=tallies, core_s=core_s))
    return Found(
        rows=rows,
        at=max((row.at for row in tallies.values()), default=None),
        outside=facts.waiting(root).get(None, 0),
    )


@dataclass(frozen=True, kw_only=True)
class _Below:
    tallies: dict[int, ShareTally]
    core_s: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class _Sum:
    used: int
    target: float
    waiting: int
    core_s: int

    @classmethod
    def of(cls, node: Node, tallies: dict[int, ShareTally], core_s: dict[int, int]) -> _Sum:
        """All leaves below a node."""
        ids = [leaf.id for leaf in node.leaves()]
        found = [tallies[leaf] for leaf in ids if leaf in tallies]
        return cls(
            used=sum(row.used for row in found),
            target=sum(row.target for row in found),
            waiting=sum(row.waiting for row in found),
            core_s=sum(core_s.get(leaf, 0) for leaf in ids),
        )


def _add(rows: list[Row], node: Node, above: Sequence[Node], whole: _Sum, below: _Below) -> None:
    own = _Sum.of(node, below.tallies, below.core_s)
    path = [*above, node]
    rows.append(
        Row(
            name=node.name,
            path=" / ".join(one.name for one in path),
            depth=len(above),
            percent=node.percent,
            working_group=node.working_group,
            processing_type=node.processing_type,
            target=own.target,
            used=own.used,
            waiting=own.waiting,
            core_s=own.core_s,
            jobs_have=(
                next((one.working_group for one in reversed(path) if one.working_group), ""),
                next((one.processing_type for one in reversed(path) if one.processing_type), ""),
            ),
            all_used=whole.used,
            all_core_s=whole.core_s,
        )
    )
    for child in node.children:
        _add(rows, child, path, whole, below)
