"""The pages of the monitor that are measured: their figures, limits and addresses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from benchmarks import archive, fill, traffic

FILTERS = {
    "state": "failed", "cloud": "C3", "site": "SITE_035", "task": "mc09.105042.evgen",
    "label": "managed", "kind": "production", "vo": "atlas", "user": "user7",
    "error": "pilot:1099", "cause": "other",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: its figure and limit, and the addresses that are asked for in turn.

    They have the queries, or differ in the arguments of their path.
    """

    figure: str
    limit_ms: float
    name: str  # of its address
    queries: Sequence[str] = ("",)
    arguments: Sequence[Mapping[str, object]] = ({},)
    # It is about something that is larger with more of the archive: its growth is told, not judged.
    of_more: bool = False

    def addresses(self) -> list[str]:
        """Raises NoReverseMatch where there is no such page."""
        paths = [reverse(self.name, kwargs=dict(given)) for given in self.arguments]
        return [path + (f"?{text}" if text else "") for path in paths for text in self.queries]


def _pairs() -> list[str]:
    """Any two filters within 24 hours."""
    pairs = itertools.combinations(FILTERS.items(), 2)
    return [urlencode([*pair, ("window", "24h")]) for pair in pairs]


def _texts() -> list[str]:
    texts = (
        "mc09", "mc09.105042.evgen", "mc09.105042.evgen._10", "mc09.105042.HITS", "mc09.77",
        "out0", "SITE_03", "C1", "bench", "user7", "wn12", "pilot:1099", "1099", "failed",
        "no such thing", "%", f"{fill.FIRST + 5}", "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00",
    )  # fmt: skip
    return [urlencode({"q": text}) for text in texts]


DATA_MS = 100
SUMS_MS = 300
SUMMED = (
    ("errors_matrix", ("", "hours=168&by=site-code", "hours=168&by=workflow-code")),
    ("errors_sites", ("", "hours=168")),
    ("nodes", ("", "hours=168", "hours=720", "hours=168&site=SITE_035", "outliers=1")),
    ("tasks", ("", "window=24h", "user=user7", "page=7", "sort=-failed", "sort=name&page=3")),
    ("users", ("",)),
    ("usage", ("",)),
    ("daily_usage", ("", "by=user&window=30d")),
)
PAGES = (
    Page(
        figure="page_dashboard",
        limit_ms=60,
        name="monitor:dashboard",
        queries=("", "hours=24", "hours=168&kind=production", "kind=analysis"),
    ),
    Page(figure="page_errors", limit_ms=120, name="monitor:errors", queries=("hours=24",)),
    Page(figure="page_jobs", limit_ms=150, name="monitor:jobs", queries=_pairs()),
    Page(
        figure="page_facets",
        limit_ms=250,
        name="monitor:job_facets",
        queries=("", "state=activated", "state=failed&window=24h", "site=SITE_035&window=24h"),
    ),
    Page(figure="page_search", limit_ms=80, name="monitor:search", queries=_texts()),
    Page(
        figure="page_plots",
        limit_ms=80,
        name="monitor:plot_data",
        queries=("what=states", "what=ended&hours=168", "what=failures&by=cloud", "what=dwell"),
    ),
    *(
        Page(figure=f"page_{name}", limit_ms=DATA_MS, name=f"monitor:{name}", queries=queries)
        for name, queries in traffic.PAGES
    ),
    *(
        Page(figure=f"page_{name}", limit_ms=SUMS_MS, name=f"monitor:{name}", queries=queries)
        for name, queries in SUMMED
    ),
    Page(
        figure="page_task",
        limit_ms=150,
        name="monitor:task",
        arguments=[{"task_id": archive.FIRST_TASK + 37 * nr} for nr in range(50)],
        of_more=True,  # a task has a job in two thousand, of 10 M as of 1 M
    ),
    Page(
        figure="page_dataset",
        limit_ms=DATA_MS,
        name="monitor:dataset",
        arguments=[{"name": name} for name in traffic.NAMED],
    ),
    Page(
        figure="page_file",
        limit_ms=DATA_MS,
        name="monitor:file",
        arguments=[{"scope": "bench", "lfn": f"{name}._00001.root"} for name in traffic.NAMED],
    ),
)
JOB = "page_job"  # its addresses are those of jobs that are there
JOB_MS = 60


def is_there(page: Page) -> bool:
    try:
        return bool(page.addresses())
    except NoReverseMatch:
        return False
