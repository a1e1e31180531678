"""The kinds of things that quick search knows, and a look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from monitor.search import finds
from monitor.search.finds import Hit
from monitor.search.names import Slice
from monitor.search.parse import BIGGEST, Asked
from pandasite.base.params import refuse

SHOWN = 8  # of each group, where all are shown
ROWS = 100  # of one group
REQUESTS = "requests"
Find = Callable[[Asked, Slice], list[Hit]]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A kind of things: the titles of the facts of its hits, and how they are found.

    pages: it may have more than a page shows, and goes on behind a cursor.
    """

    key: str
    title: str
    find: Find
    columns: Sequence[str] = field(default=())
    pages: bool = False


GROUPS = (
    Group(
        key="jobs",
        title="Jobs",
        find=finds.jobs,
        columns=("PandaID", "Site", "Created"),
        pages=True,
    ),
    Group(
        key="tasks",
        title="Tasks",
        find=finds.tasks,
        columns=("taskID", "User", "Created"),
        pages=True,
    ),
    Group(
        key=REQUESTS,
        title="Tasks of a request",
        find=finds.requests,
        columns=("taskID", "User", "Created"),
    ),
    Group(
        key="datasets",
        title="Datasets",
        find=finds.datasets,
        columns=("Type", "State", "Created"),
        pages=True,
    ),
    Group(
        key="files",
        title="Files of the catalogue",
        find=finds.files,
        columns=("Scope", "Bytes", "Dataset"),
        pages=True,
    ),
    Group(
        key="job_files",
        title="Files of jobs",
        find=finds.job_files,
        columns=("PandaID", "Type", "Status"),
        pages=True,
    ),
    Group(key="sites", title="Sites", find=finds.sites, columns=("Cloud", "Status")),
    Group(key="clouds", title="Clouds", find=finds.clouds, columns=("Status",)),
    Group(key="users", title="Users", find=finds.users, pages=True),
    Group(key="nodes", title="Nodes", find=finds.nodes, columns=("Site", "Last heard"), pages=True),
    Group(key="errors", title="Errors", find=finds.errors, columns=("Meaning",)),
    Group(key="task_states", title="Tasks by state", find=finds.task_states),
    Group(key="states", title="Jobs by state, last day", find=finds.states),
)
BY_KEY = {group.key: group for group in GROUPS}


@dataclass(frozen=True, kw_only=True)
class Found:
    """The hits of a group; `more` is the address of all of them, or of those behind, or empty.

    cut: there are more.
    """

    group: Group
    hits: Sequence[Hit]
    more: str = ""
    cut: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "group": self.group.key,
            "hits": [hit_json(self.group, hit) for hit in self.hits],
            "more": self.more,
            "cut": self.cut,
        }


def hit_json(group: Group, hit: Hit) -> dict[str, Any]:
    """A hit with its facts by their titles."""
    facts = dict(zip(group.columns, hit.facts, strict=True))
    state = {"State": hit.state} if hit.state else {}
    return {"name": hit.name, **facts, **state, "exact": hit.exact, "url": hit.url}


def look(asked: Asked) -> list[Found]:
    """Every group that has something, a few of each."""
    wanted = Slice(low=asked.low, high=asked.high, limit=SHOWN + 1, lately=True)
    found = []
    for group in GROUPS:
        if hits := group.find(asked, wanted):
            cut = len(hits) > SHOWN
            more = search_url(asked, group=group.key) if cut and group.pages else ""
            found.append(Found(group=group, hits=hits[:SHOWN], more=more, cut=cut))
    return found


def straight(found: Sequence[Found]) -> str:
    """The address of the one thing that is exactly what was asked for; empty for none or many.

    A number stands for a job or a task first: requests are numbered from 1 on.
    """
    exact = [(one.group, hit.url) for one in found for hit in one.hits if hit.exact and hit.page]
    pages = {url for group, url in exact if group.key != REQUESTS} or {url for _, url in exact}
    return pages.pop() if len(pages) == 1 else ""


def look_into(group: Group, asked: Asked, *, after: str) -> Found:
    """One group alone, a page of it from the cursor on. Raises BadInput for a bad cursor."""
    name, behind = cursor(after, asked) if after else (asked.low, -1)
    wanted = Slice(low=name, high=asked.high, limit=ROWS + 1, behind=behind)
    hits = group.find(asked, wanted)
    more = ""
    if len(hits) > ROWS:
        last = hits[ROWS - 1]
        more = search_url(asked, group=group.key, after=f"{last.key},{last.name}")
    return Found(group=group, hits=hits[:ROWS], more=more, cut=bool(more))


def cursor(text: str, asked: Asked) -> tuple[str, int]:
    """The name and the key of the row that a page begins behind."""
    key, comma, name = text.partition(",")
    fits = comma and key.isascii() and key.isdecimal() and len(key) < 20 and int(key) <= BIGGEST
    if not fits or not name.startswith(asked.text):
        words = "the `after` of the page in front of it"
        raise refuse("after", text, words, code="bad_cursor")
    return name, int(key)


def search_url(asked: Asked, **more: str) -> str:
    """The search for this text."""
    query: Mapping[str, str] = {"q": asked.text, **more}
    return reverse("monitor:search") + "?" + urlencode(query)


def csv_rows(found: Sequence[Found]) -> list[dict[str, Any]]:
    """All hits as rows with the same columns; the facts of a kind in one cell."""
    rows = []
    for one in found:
        for hit in one.hits:
            facts = hit_json(one.group, hit)
            kept = ("name", "exact", "url")
            told = "; ".join(f"{k}: {v}" for k, v in facts.items() if k not in kept and v != "")
            rows.append({"group": one.group.key, **{k: facts[k] for k in kept}, "facts": told})
    return rows
