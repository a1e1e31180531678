"""The boxes beside the job list: how many of its jobs have which site, user, error and so on.

* Without a filter: clouds, sites, states and labels as counted with each change (`jobs.counts`);
  the other boxes as the sweep counted them, with their age.
* With filters: counted in the jobs that pass, exactly while they are at most MOST; of more jobs
  the first MOST are counted, and each number is "at least".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db.models import Model

from brokerage.models import VO, Cloud, Site
from datasets.models import StorageElement
from jobs.errors import meaning
from jobs.models import ERROR_COMPONENTS, Task
from monitor import counted, tally
from monitor.joblist import Wanted
from monitor.tally import Tally
from monitor.words import NONE
from pandasite.base.snapshot import in_time

MOST = 50_000  # jobs that are counted one by one
PATIENCE_MS = 2000  # of that count; the list itself is not delayed
SHOWN = 8  # values of a box

TITLES = {
    "state": "State", "cloud": "Cloud", "site": "Site", "label": "Label",
    "processing_type": "Processing type", "transformation": "Transformation", "error": "Error",
    "user": "User", "group": "Working group", "vo": "VO", "task": "Task", "priority": "Priority",
    "attempt": "Attempt", "max_attempt": "Most attempts", "cores": "Cores",
    "memory": "Memory asked for (MB)", "release": "Release", "platform": "Platform",
    "package": "Package", "node": "Node", "exit_code": "Exit code",
    "destination": "Destination", "input": "Input dataset", "output": "Output dataset",
}  # fmt: skip
TABLES: dict[str, type[Model]] = {
    "cloud": Cloud, "site": Site, "vo": VO, "task": Task, "destination": StorageElement,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Value:
    """A line of a box: `n` jobs; `url` is the list of them, or of all again where it is `on`."""

    text: str
    n: int
    url: str
    on: bool = False
    help: str = ""

    @property
    def number(self) -> str:
        """With commas; quicker than a filter of the template, of which a page has hundreds."""
        return f"{self.n:,}"


@dataclass(frozen=True, kw_only=True)
class Box:
    """The most frequent values of an attribute; `more` is how many others are known."""

    name: str
    title: str
    values: Sequence[Value]
    exact: bool = True
    more: int = 0
    as_of: dt.datetime | None = None  # None: of this moment

    @property
    def alone(self) -> bool:
        """Whether all jobs are alike in this. Errors do not count: most jobs carry none."""
        return len(self.values) == 1 and not self.more and self.name != "error"


@dataclass(frozen=True, kw_only=True)
class Facets:
    """All boxes; `total` None: not known, since counting took too long (`slow`)."""

    total: int | None
    exact: bool
    boxes: Sequence[Box] = field(default_factory=tuple)
    slow: bool = False

    @property
    def open(self) -> list[Box]:
        """Those that divide the jobs."""
        return [box for box in self.boxes if not box.alone]

    @property
    def shared(self) -> list[Box]:
        """Those in which all jobs are alike."""
        return [box for box in self.boxes if box.alone]

    def as_json(self) -> dict[str, Any]:
        """The boxes for programs."""
        return {
            "total": self.total,
            "exact": self.exact,
            "too_slow": self.slow,
            "boxes": {
                box.name: {
                    "exact": box.exact,
                    "more": box.more,
                    "counted_at": box.as_of,
                    "values": [{"value": v.text, "n": v.n} for v in box.values],
                }
                for box in self.boxes
            },
        }


def read(wanted: Wanted, *, now: dt.datetime) -> Facets:
    """The boxes of a search."""
    known = counted.boxes(wanted.filters, now=now)
    total = sum(known["state"].values()) if known else None
    if not wanted.filters and known:
        as_of, rest = tally.kept()
        made = [*_boxes(wanted, known), *_boxes(wanted, _less(rest, known), as_of=as_of)]
        return Facets(total=total, exact=True, boxes=_in_order(made))
    found = _picked(wanted)
    if found is None:
        return Facets(total=total, exact=True, boxes=_boxes(wanted, known or {}), slow=True)
    picked, values = found
    exact = picked <= MOST
    if exact or known is None:
        boxes = _boxes(wanted, values, exact=exact)
        return Facets(total=min(picked, MOST), exact=exact, boxes=_in_order(boxes))
    made = [*_boxes(wanted, known), *_boxes(wanted, _less(values, known), exact=False)]
    return Facets(total=total, exact=True, boxes=_in_order(made))


def _less(values: Tally, known: Tally) -> Tally:
    return {name: found for name, found in values.items() if name not in known}


def _in_order(boxes: Sequence[Box]) -> list[Box]:
    places = [*TITLES]
    return sorted(boxes, key=lambda box: places.index(box.name))


def _picked(wanted: Wanted) -> tuple[int, Tally] | None:
    """Counted one by one; None when that takes too long."""
    rows = wanted.matching().values(*tally.COLUMNS)[: MOST + 1]
    source, params = rows.query.sql_with_params()
    count = partial(tally.tally, source, params, keep=tally.KEPT, most=MOST + 1)
    return in_time(count, ms=PATIENCE_MS)


# -- boxes -----------------------------------------------------------------------------------------


def _boxes(
    wanted: Wanted, values: Tally, *, exact: bool = True, as_of: dt.datetime | None = None
) -> list[Box]:
    made = [
        _box(wanted, name, found, exact=exact, as_of=as_of)
        for name, found in values.items()
        if name in TITLES and found
    ]
    if errors := _errors(values):
        made.append(_box(wanted, "error", errors, exact=exact, as_of=as_of))
    return made


def _errors(values: Tally) -> dict[str | None, int]:
    """`pilot:1099` and so on; a job may carry several errors, and most carry none."""
    return {
        f"{component}:{code}": n
        for component in ERROR_COMPONENTS
        for code, n in values.get(f"error:{component}", {}).items()
        if code not in ("0", None, "")
    }


def _box(
    wanted: Wanted,
    name: str,
    found: Mapping[str | None, int],
    *,
    exact: bool,
    as_of: dt.datetime | None,
) -> Box:
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0] or ""))
    shown = ranked[:SHOWN]
    names = _names(name, [key for key, _ in shown if key]) if name in TABLES else {}
    return Box(
        name=name,
        title=TITLES[name],
        values=[_value(wanted, name, key or "", n, names) for key, n in shown],
        exact=exact,
        more=len(ranked) - len(shown),
        as_of=as_of,
    )


def _value(wanted: Wanted, name: str, key: str, n: int, names: Mapping[str, str]) -> Value:
    text = names.get(key, key)
    given = FILTER_OF.get(name, lambda key, text: text)(key, text) if key else NONE
    on = wanted.filters.get(name) == given
    return Value(
        text=SHOWN_AS.get(name, lambda key, text: text)(key, text) if key else "none",
        n=n,
        url="?" + wanted.query(**{name: "" if on else given}),
        on=on,
        help=_help(name, key),
    )


def _hundred(key: str, _text: str) -> str:
    return f"{key}..{int(key) + 99}"


# What the filter takes, and what is shown, where it is not the text itself.
FILTER_OF: dict[str, Callable[[str, str], str]] = {
    "task": lambda key, _text: key,
    "priority": _hundred,
}
SHOWN_AS: dict[str, Callable[[str, str], str]] = {
    "priority": lambda key, _text: f"{key} to {int(key) + 99}"
}


def _help(name: str, key: str) -> str:
    if name != "error":
        return ""
    component, _, code = key.partition(":")
    return meaning(component, int(code))


def _names(name: str, keys: Sequence[str] | None = None) -> dict[str, str]:
    """By key as text: the names of a table's rows, or of some of them."""
    rows = TABLES[name]._default_manager.all()
    if keys is not None:
        rows = rows.filter(pk__in=keys)
    return {str(pk): str(text) for pk, text in rows.values_list("pk", "name")}
