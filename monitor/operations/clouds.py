"""Clouds: a line for each, and the page of one. Made of the dashboard that is kept (recent.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from brokerage.models import Cloud, Site
from jobs.states import JobState
from monitor.attention import Item
from monitor.dashboard import Block, Dashboard
from monitor.operations.columns import LinkColumn, NumberColumn, StatusColumn
from monitor.rows import Links, jobs_url
from monitor.sheets import Sheet, column
from monitor.words import STATE_HELP
from pandasite.base.errors import NotThere
from pandasite.base.models import AuditLine

QUEUED = (JobState.DEFINED, JobState.WAITING, JobState.ASSIGNED, JobState.ACTIVATED)
LINES_READ = 20_000  # of the audit log: it has no index of its subjects
CHANGES_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class CloudRow:
    """A cloud in numbers; the addresses lead to what the numbers count. Space in GB."""

    name: str
    status: str
    reason: str
    tier1: str
    sites: int
    online: int
    nodes: int
    pilots: int
    tasks: int | None  # None: not counted yet
    queued: int
    running: int
    per_running: float | None  # queued jobs for each running one
    transferring: int
    finished: int
    failed: int
    failed_pct: int | None
    free_gb: float | None
    low: int
    url: str
    tier1_url: str
    running_url: str
    transferring_url: str
    finished_url: str
    failed_url: str
    tasks_url: str


def rows(board: Dashboard) -> list[CloudRow]:
    """A line for each cloud, by name."""
    return [_row(block, board) for block in board.blocks]


def _row(block: Block, board: Dashboard) -> CloudRow:
    """Long, for a table has many columns; there is nothing else to it."""
    cloud, total = block.cloud, block.total.row
    sites = [line.site for line in block.lines if line.site]
    links = Links.of(window=f"{board.hours}h", cloud=cloud.name, kind=board.kind)
    tasks = next((count for count in board.tasks if count.cloud == cloud.name), None)
    queued = sum(total.states[state] for state in QUEUED)
    running = total.states[JobState.RUNNING]
    return CloudRow(
        name=cloud.name,
        status=cloud.status,
        reason=block.note,
        tier1=cloud.tier1.name if cloud.tier1 else "",
        sites=len(sites),
        online=sum(site.status == Site.Status.ONLINE for site in sites),
        nodes=total.nodes,
        pilots=total.pilots,
        tasks=tasks.n if tasks and board.tasks_at else None,
        queued=queued,
        running=running,
        per_running=round(queued / running, 1) if running else None,
        transferring=total.states[JobState.TRANSFERRING],
        finished=total.states[JobState.FINISHED],
        failed=total.states[JobState.FAILED],
        failed_pct=total.tot,
        free_gb=_free(block),
        low=sum(line.low for line in block.space if line.role == "local"),
        url=reverse("monitor:cloud", args=[cloud.name]),
        tier1_url=reverse("monitor:site", args=[cloud.tier1.name]) if cloud.tier1 else "",
        running_url=links.state(JobState.RUNNING),
        transferring_url=links.state(JobState.TRANSFERRING),
        finished_url=links.state(JobState.FINISHED),
        failed_url=links.state(JobState.FAILED),
        tasks_url=tasks.url if tasks else "",
    )


def _free(block: Block) -> float | None:
    """Of each storage element once, where it was measured."""
    free = {line.storage: line.gb for line in block.space if line.gb is not None}
    return round(sum(free.values()), 1) if free else None


class CloudSheet(Sheet):
    name = column("Cloud", "a Tier-1 and the sites around it", kind=LinkColumn, link="url")
    status = column("Status", "offline: its sites get no production jobs", kind=StatusColumn)
    reason = column("Why", "who set it, when and why, where it is not online", look="wrap")
    tier1 = column("Tier-1", "the site that keeps its data", kind=LinkColumn, link="tier1_url")
    sites = column("Sites", "queues of the cloud", kind=NumberColumn, look="n")
    online = column("Online", "of these sites", kind=NumberColumn, look="n")
    nodes = column("Nodes", "whose pilots called within the window", kind=NumberColumn, look="n")
    pilots = column("Pilots", "that called within 3 hours", kind=NumberColumn, look="n")
    tasks = column(
        "Tasks",
        "with jobs that have not ended, counted once a minute",
        kind=NumberColumn,
        look="n",
        link="tasks_url",
    )
    queued = column(
        "Queued", "defined, waiting, assigned and activated jobs", kind=NumberColumn, look="n"
    )
    running = column(
        "Running",
        STATE_HELP[JobState.RUNNING],
        kind=NumberColumn,
        look="n",
        link="running_url",
    )
    per_running = column(
        "Queued / running",
        "how much work waits for each running job; empty where nothing runs",
        kind=NumberColumn,
        look="n",
    )
    transferring = column(
        "Transferring",
        STATE_HELP[JobState.TRANSFERRING],
        kind=NumberColumn,
        look="n",
        link="transferring_url",
    )
    finished = column(
        "Finished", "within the window", kind=NumberColumn, look="n", link="finished_url"
    )
    failed = column("Failed", "within the window", kind=NumberColumn, look="n", link="failed_url")
    failed_pct = column("Failed %", "failed / (finished + failed)", look="n")
    free_gb = column(
        "Free (GB)",
        "at all its storage elements together; empty where never measured",
        kind=NumberColumn,
        look="n",
    )
    low = column("Short of space", "sites that brokerage skips for it", look="n")

    class Meta(Sheet.Meta):
        empty_text = "There are no clouds yet: make them in the admin, or run the demo."


@dataclass(frozen=True, kw_only=True)
class CloudPage:
    """One cloud: its numbers, what it is set to, what is wrong in it, who set its status."""

    block: Block
    row: CloudRow
    attention: Sequence[Item]
    history: Sequence[AuditLine]

    @property
    def cloud(self) -> Cloud:
        return self.block.cloud

    @property
    def queued_urls(self) -> list[tuple[str, int, str]]:
        """State, number and list of the jobs that wait."""
        states = self.block.total.row.states
        return [
            (state, states[state], jobs_url(cloud=self.cloud.name, state=state)) for state in QUEUED
        ]

    def as_json(self) -> dict[str, Any]:
        """The facts; the parameters as the admin has them."""
        cloud = self.cloud
        return {
            **asdict(self.row),
            "weight": cloud.weight,
            "fasttrack": cloud.fasttrack,
            "validation": cloud.validation,
            "releases_checked": cloud.releases_checked,
            "reprocessing_at_tier1": cloud.reprocessing_at_tier1,
            "jobs": self.block.as_json(),
            "attention": [item.as_json() for item in self.attention],
            "history": [
                {"at": line.at, "by": line.actor_name, "reason": line.reason, **line.facts}
                for line in self.history
            ],
        }

    def as_rows(self) -> list[dict[str, Any]]:
        """Its sites as flat rows."""
        return [line.row.as_json() for line in self.block.lines]


def page(name: str, board: Dashboard) -> CloudPage:
    """The cloud of this name; NotThere when there is none."""
    block = next((block for block in board.blocks if block.cloud.name == name), None)
    if block is None:
        raise NotThere(f"there is no cloud {name[:80]}")
    places = {name, *(line.row.name for line in block.lines)}
    places |= {line.storage for line in block.space}
    return CloudPage(
        block=block,
        row=_row(block, board),
        attention=[item for item in board.attention if item.subject in places],
        history=_history(name),
    )


def _history(name: str) -> list[AuditLine]:
    newest = AuditLine.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    lines = AuditLine.objects.filter(
        pk__gt=newest - LINES_READ, action="cloud_status", subject=name
    )
    return list(lines.order_by("-pk")[:CHANGES_SHOWN])
