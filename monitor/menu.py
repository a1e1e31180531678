"""The menu of every page: the names of the frame of 2009, each leading to a page of today.

An entry whose page does not exist (yet) is left out, so that no link leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

DAYS = (1, 3, 7, 30)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A link: the name of a page and its query."""

    title: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    key: str = ""  # that opens it after a g

    @property
    def url(self) -> str:
        """Its address. Raises NoReverseMatch where there is no such page."""
        query = urlencode(self.query)
        return reverse(self.page) + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and its links."""

    title: str
    entries: Sequence[Entry]


def _jobs(title: str, **query: str) -> Entry:
    return Entry(title=title, page="monitor:jobs", query=query)


def _request(title: str, kind: str) -> Entry:
    return Entry(title=title, page="monitor:task_request", query={"kind": kind})


def _days(title: str, page: str) -> list[Entry]:
    return [
        Entry(
            title=f"{title}: {n} day{'s' if n > 1 else ''}", page=page, query={"hours": str(24 * n)}
        )
        for n in DAYS
    ]


RECENT = ("running", "activated", "waiting", "assigned", "defined", "finished", "failed")

SECTIONS = (
    Section(
        title="Now",
        entries=[
            Entry(title="Operations", page="monitor:dashboard"),
            Entry(title="Production", page="monitor:dashboard", query={"kind": "production"}),
            Entry(title="Analysis", page="monitor:dashboard", query={"kind": "analysis"}),
            Entry(title="DDM dashboard", page="monitor:ddm"),
            Entry(title="Plots", page="monitor:plots"),
            Entry(title="Servers", page="monitor:servers"),
            Entry(title="Logger", page="monitor:logger"),
            Entry(title="Deeds", page="monitor:deeds"),
        ],
    ),
    Section(
        title="Jobs",
        entries=[
            _jobs("Search"),
            *(_jobs(f"Recent {state}", state=state, window="24h") for state in RECENT),
            _jobs("Analysis", kind="analysis"),
            _jobs("Production", kind="production"),
            _jobs("Install", kind="install"),
            _jobs("Test", kind="test"),
            Entry(title="What if: brokerage", page="monitor:what_if"),
        ],
    ),
    Section(
        title="Summaries",
        entries=[
            *_days("Blocks", "monitor:blocks"),
            *_days("Errors", "monitor:errors"),
            *_days("Nodes", "monitor:nodes"),
            Entry(title="Daily usage", page="monitor:daily_usage"),
            Entry(title="Usage & Quotas", page="monitor:usage"),
            Entry(title="Shares", page="monitor:shares"),
            Entry(title="Users", page="monitor:users"),
        ],
    ),
    Section(
        title="Tasks",
        entries=[
            Entry(title="Task list", page="monitor:tasks"),
            Entry(title="Task browser", page="monitor:task_browser"),
            _request("Generic Task Req", "generic"),
            _request("EvGen Task Req", "evgen"),
            _request("CTBsim Task Req", "ctbsim"),
            Entry(title="New Tag", page="monitor:tag_new"),
            Entry(title="Tags", page="monitor:tags"),
            Entry(title="Task brokerage", page="monitor:bamboo_brokerage"),
            Entry(title="Job submissions", page="monitor:bamboo_submissions"),
            Entry(title="Bamboo", page="monitor:bamboo"),
        ],
    ),
    Section(
        title="Data",
        entries=[
            Entry(title="Dataset browser", page="monitor:datasets"),
            Entry(title="New datasets", page="monitor:datasets_new"),
            Entry(title="Aborted datasets", page="monitor:datasets_aborted"),
            Entry(title="Subscriptions", page="monitor:subscriptions"),
            Entry(title="Open blocks", page="monitor:open_blocks"),
            Entry(title="DDM Req", page="monitor:ddm_request"),
            Entry(title="Req list", page="monitor:ddm_requests"),
            Entry(title="AODs", page="monitor:aods"),
            Entry(title="Physics data", page="monitor:physics"),
            Entry(title="PandaMover", page="monitor:mover"),
        ],
    ),
    Section(
        title="Grid",
        entries=[
            Entry(title="Clouds", page="monitor:clouds"),
            Entry(title="Sites & Grids", page="monitor:sites"),
            Entry(title="Pilots", page="monitor:pilots"),
            Entry(title="AutoPilot", page="monitor:autopilot"),
            Entry(title="Configuration", page="monitor:configuration"),
            Entry(title="Admin", page="admin:index"),
            Entry(title="API", page="docs"),
            Entry(title="Help", page="monitor:help"),
        ],
    ),
)

TOP = (
    Entry(title="Dashboard", page="monitor:dashboard", key="d"),
    Entry(title="Jobs", page="monitor:jobs", key="j"),
    Entry(title="Errors", page="monitor:errors", key="e"),
    Entry(title="Tasks", page="monitor:tasks", key="t"),
    Entry(title="Clouds", page="monitor:clouds", key="c"),
    Entry(title="Sites", page="monitor:sites", key="s"),
    Entry(title="Plots", page="monitor:plots", key="p"),
    Entry(title="Admin", page="admin:index", key="a"),
    Entry(title="Help", page="monitor:help", key="h"),
)

# Of who is logged in.
MINE = (
    Entry(title="My alerts", page="monitor:alerts"),
    Entry(title="My sandboxes", page="monitor:sandboxes"),
    Entry(title="My tokens", page="monitor:tokens"),
)

# What the dashboard says of Bamboo, once it is there.
BAMBOO = (
    Entry(title="task brokerage", page="monitor:bamboo_brokerage"),
    Entry(title="job submissions", page="monitor:bamboo_submissions"),
    Entry(title="status", page="monitor:bamboo"),
)


def leads_somewhere(entry: Entry) -> bool:
    """Whether its page exists."""
    try:
        return bool(entry.url)
    except NoReverseMatch:
        return False


def address(page: str, **query: str) -> str:
    """Where a page is, with its query; empty when there is no such page (yet)."""
    entry = Entry(title="", page=page, query=query)
    return entry.url if leads_somewhere(entry) else ""


def place(page: str, *names: str) -> str:
    """Where the page of something is; empty when there are no such pages (yet)."""
    try:
        return reverse(page, args=names)
    except NoReverseMatch:
        return ""


@cache  # addresses do not change while a process runs
def sections() -> list[Section]:
    """The menu, without what leads nowhere."""
    kept = [
        Section(title=s.title, entries=[e for e in s.entries if leads_somewhere(e)])
        for s in SECTIONS
    ]
    return [section for section in kept if section.entries]


@cache
def top() -> list[Entry]:
    """The bar at the top, without what leads nowhere."""
    return [entry for entry in TOP if leads_somewhere(entry)]


def mine(name: str) -> list[Entry]:
    """The pages of the user of this name: jobs and tasks first."""
    jobs = [
        Entry(title="My jobs", page="monitor:jobs", query={"user": name}),
        Entry(title="My tasks", page="monitor:tasks", query={"user": name}),
    ]
    return [entry for entry in (*jobs, *MINE) if leads_somewhere(entry)]


@cache
def bamboo() -> list[Entry]:
    """The pages of Bamboo that there are."""
    return [entry for entry in BAMBOO if leads_somewhere(entry)]
