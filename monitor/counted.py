"""What `jobs.counts` knows of a search, exactly and without looking at a job.

It tells jobs apart by state, cloud, site and label, those that ended by the hour, and failures by
whether the payload failed. So a search by these alone has its number at once, however large.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping

from brokerage.models import VO, Cloud, Site
from jobs import counts
from jobs.labels import LABELS
from jobs.states import LIVE, JobState
from monitor import lists
from monitor.params import SPAN
from monitor.words import KINDS, NONE, window_start

BOXES = ("state", "cloud", "site", "label")  # what it tells apart, as filters name it
NARROWING = {*BOXES, "kind", "cause", "window"}
SHORT = 48  # hours: sums of longer windows are many themselves
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
Tally = dict[str, dict[str | None, int]]  # by box: how many jobs have each value


def total(filters: Mapping[str, str], *, now: dt.datetime) -> int | None:
    """How many jobs pass the filters; None where the counts cannot tell, or are many themselves."""
    if "vo" in filters and all(_is_one_of(name, filters["vo"]) for name in lists.names(VO)):
        filters = {name: text for name, text in filters.items() if name != "vo"}
    states = [*filters["state"].split(",")] if "state" in filters else None
    hours = _window_hours(filters.get("window", ""))
    live = states is not None and {*states} <= {*map(str, LIVE)}
    if not set(filters) <= NARROWING or not (live or (hours and hours <= SHORT)):
        return None
    if "cause" in filters:
        states = [one for one in states or [str(JobState.FAILED)] if one == JobState.FAILED]
    labels = [{*LABELS}, *(_labels(name, text) for name, text in filters.items())]
    return counts.total(
        ended_since=window_start(now, hours) if hours and not live else None,
        payload_error={"trf": True, "other": False}.get(filters.get("cause", "")),
        state=states,
        label=set.intersection(*labels) if "label" in filters or "kind" in filters else None,
        cloud_id=_keys(Cloud, filters.get("cloud")),
        site_id=_keys(Site, filters.get("site")),
    )


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


def boxes(filters: Mapping[str, str], *, now: dt.datetime) -> Tally | None:
    """The jobs that pass by the values of BOXES; of clouds and sites by their keys.

    None where the counts know a filter not, or do not reach back as far.
    """
    hours = _window_hours(filters.get("window", ""))
    if not set(filters) <= NARROWING or (hours and hours > counts.HOURS_KEPT):
        return None
    since = window_start(now, hours) if hours else EPOCH
    found: dict[str, Counter[str | None]] = {name: Counter() for name in BOXES}
    for count, facts in _facts(since):
        if all(_passes(name, text, facts) for name, text in filters.items()):
            keys = {"cloud": count.cloud_id or None, "site": count.site_id or None}
            for name in BOXES:
                key = keys.get(name, facts[name])
                found[name][None if key is None else str(key)] += count.n
    return {name: dict(values) for name, values in found.items()}


def _facts(since: dt.datetime) -> Iterator[tuple[counts.Count, dict[str, str]]]:
    """Each count with what filters ask of it."""
    clouds: dict[int, str] = dict(Cloud.objects.values_list("pk", "name"))
    sites: dict[int, str] = dict(Site.objects.values_list("pk", "name"))
    for count in counts.read(ended_since=since):
        yield (
            count,
            {
                "state": count.state,
                "label": count.label,
                "cloud": clouds.get(count.cloud_id, NONE),
                "site": sites.get(count.site_id, NONE),
                "cause": _cause(count),
            },
        )


def _cause(count: counts.Count) -> str:
    if count.state != JobState.FAILED:
        return NONE
    return "trf" if count.payload_error else "other"


def _window_hours(text: str) -> int | None:
    found = SPAN.fullmatch(text)
    return int(found[1]) * (24 if found[2] == "d" else 1) if found else None


def _passes(name: str, text: str, facts: Mapping[str, str]) -> bool:
    if name == "window":
        return True  # asked of the counts already
    if name == "kind":
        return facts["label"] in KINDS[text]
    return _is_one_of(facts[name], text)


def _is_one_of(name: str, text: str) -> bool:
    """Whether a name is among several with commas between, of which some may be beginnings."""
    return any(
        name.startswith(word[:-1]) and name != NONE if word.endswith("*") else name == word
        for word in text.split(",")
    )
