"""What the pages of errors and nodes have in common: their tabs, windows, kinds and filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from brokerage.models import Site
from jobs.labels import LABELS
from monitor.errors.scope import HOURS, Scope, periods
from monitor.lists import Field, words
from monitor.words import KINDS

TABS = {
    "monitor:errors": "Summary",
    "monitor:errors_messages": "Messages",
    "monitor:errors_matrix": "Workflows",
    "monitor:errors_sites": "Sites & computing elements",
    "monitor:errors_grids": "Grids",
    "monitor:nodes": "Nodes",
}
TITLES = {
    "label": "Label", "cloud": "Cloud", "site": "Site", "grid": "Grid", "ce": "Computing element",
    "error": "Error", "period": "Period",
}  # fmt: skip
# Filters that have links of their own.
PICKED = ("hours", "kind")


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A link that changes one filter; `here` when it stands like that already."""

    text: str
    url: str
    here: bool


def frame(
    scope: Scope, page: str, *, without: Iterable[str] = (), args: Sequence[Any] = ()
) -> dict[str, Any]:
    """The context of the head of a page; `without` are the filters that it does not have."""
    dropped = [*without]
    return {
        "scope": scope,
        "tabs": [Pick(text=t, url=_tab_url(scope, name), here=name == page) for name, t in
                 TABS.items()],
        "windows": [
            Pick(text=words, url=scope.url(page, *args, hours=str(h)), here=h == scope.hours)
            for h, words in HOURS.items()
        ],
        "kinds": [
            Pick(text=kind or "all", url=scope.url(page, *args, kind=kind, label=""),
                 here=kind == scope.kind)
            for kind in ("", *KINDS)
            if "kind" not in dropped
        ],
        "form": [field for field in _form(scope) if field.name not in dropped],
        "hidden": [(n, v) for n, v in scope.given.items() if n in PICKED and n not in dropped],
        "chips": [
            Pick(text=f"{n}: {v}", url=scope.url(page, *args, **{n: ""}), here=True)
            for n, v in scope.given.items() if n not in PICKED and n not in dropped
        ],
    }  # fmt: skip


def _tab_url(scope: Scope, name: str) -> str:
    """Nodes know of no label and no error, workflows of no computing element."""
    lost = {"monitor:nodes": ("kind", "label", "ce", "error"), "monitor:errors_matrix": ("ce",),
            "monitor:errors_grids": ("grid", "site", "ce", "cloud")}  # fmt: skip
    return scope.url(name, **dict.fromkeys(lost.get(name, ()), ""))


def _form(scope: Scope) -> list[Field]:
    sites = scope.sites.values()
    options = {
        "label": sorted(LABELS),
        "cloud": sorted({site.cloud.name for site in sites}),
        "grid": Site.Flavour.values,
    }
    known = {"site": sorted(site.name for site in sites), "period": [*periods(scope.now)]}
    hints = {"error": "pilot:1099", "period": "last-week", "ce": "example.org"}
    return [
        Field(
            name=name,
            title=title,
            value=scope.given.get(name, ""),
            options=words(options.get(name, ())),
            known=known.get(name, ()),
            hint=hints.get(name, ""),
        )
        for name, title in TITLES.items()
    ]
