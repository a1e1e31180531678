"""What `jobs.counts` knows of a search, exactly and without looking at a job.

It tells jobs apart by state, cloud, site and label, those that ended by the hour, and failures by
whether the payload failed. So a search by these alone has its number at once, however large.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from brokerage.models import VO, Cloud, Site
from jobs import counts, countsums
from jobs.labels import LABELS
from jobs.states import LIVE, JobState
from monitor import lists
from monitor.params import SPAN
from monitor.words import KINDS, NONE, window_start

BOXES = ("state", "cloud", "site", "label")  # what it tells apart, as filters name it
NARROWING = {*BOXES, "kind", "cause", "window"}
SHORT = 48  # hours: sums of longer windows are many themselves
Tally = dict[str, dict[str | None, int]]  # by box: how many jobs have each value


def total(filters: Mapping[str, str], *, now: dt.datetime) -> int | None:
    """How many jobs pass the filters; None where the counts cannot tell, or are many themselves."""
    if "vo" in filters and all(_is_one_of(name, filters["vo"]) for name in lists.names(VO)):
        filters = {name: text for name, text in filters.items() if name != "vo"}
    if not set(filters) <= NARROWING or (_hours(filters) or 0) > SHORT:
        return None
    return countsums.total(**_asked(filters, now))


def boxes(filters: Mapping[str, str], *, now: dt.datetime) -> Tally | None:
    """The jobs that pass by the values of BOXES; of clouds and sites by their keys.

    None where the counts know a filter not, or do not reach back as far.
    """
    if not set(filters) <= NARROWING or (_hours(filters) or 0) > counts.HOURS_KEPT:
        return None
    found = countsums.by_value(**_asked(filters, now))
    return {
        "state": found["state"],
        "cloud": _by_key(found["cloud_id"]),
        "site": _by_key(found["site_id"]),
        "label": found["label"],
    }


def _by_key(found: Mapping[int, int]) -> dict[str | None, int]:
    return {str(key) if key else None: n for key, n in found.items()}


def _asked(filters: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    """The filters as `jobs.countsums` takes them."""
    states = [*filters["state"].split(",")] if "state" in filters else None
    labels = [{*LABELS}, *(_labels(name, text) for name, text in filters.items())]
    cause = filters.get("cause", "")
    if cause:
        states = [one for one in states or [str(JobState.FAILED)] if one == JobState.FAILED]
    live = states is not None and {*states} <= {*map(str, LIVE)}
    hours = _hours(filters)
    since = window_start(now, hours) if hours else countsums.EVER
    return {
        "ended_since": None if live else since,
        "payload_error": {"trf": True, "other": False}.get(cause),
        "state": states,
        "label": set.intersection(*labels) if "label" in filters or "kind" in filters else None,
        "cloud_id": _keys(Cloud, filters.get("cloud")),
        "site_id": _keys(Site, filters.get("site")),
    }


def _labels(name: str, text: str) -> set[str]:
    """Those that a filter leaves."""
    if name == "kind":
        return {*KINDS[text]}
    return {*text.split(",")} if name == "label" else {*LABELS}


def _keys(model: type[Cloud | Site], text: str | None) -> list[int] | None:
    """Of the places that a filter names; None for all of them."""
    if text is None:
        return None
    names = model._default_manager.values_list("pk", "name")
    found = [pk for pk, name in names if _is_one_of(name, text)]
    return [*found, 0] if NONE in text.split(",") else found


def _hours(filters: Mapping[str, str]) -> int | None:
    """Of the window; None for all times."""
    found = SPAN.fullmatch(filters.get("window", ""))
    return int(found[1]) * (24 if found[2] == "d" else 1) if found else None


def _is_one_of(name: str, text: str) -> bool:
    """Whether a name is among several with commas between, of which some may be beginnings."""
    return any(
        name.startswith(word[:-1]) if word.endswith("*") else name == word
        for word in text.split(",")
    )
