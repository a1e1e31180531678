"""The items of jobParameters: what they read, what they make, and what the jobs are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.api.panda.prun import words
from jobs.api.panda.prun.fields import NOTHING, Fields

_STREAM = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?:/[A-Z])?\}")
_EXTENDED = re.compile(r"\$\{(SEQNUMBER|FIRSTEVENT)[:=](\d+)\}")
PRIMARY: Final = "IN"
# Of an item; what has a value and is not among these is refused.
READ: Final = frozenset(
    {"type", "value", "param_type", "dataset", "container", "hidden", "padding"}
)
IDLE: Final = frozenset({"expand", "consolidate", "reusable", "idx"})
OF_INPUT: Final = frozenset({"include", "exclude", "files", "offset", "nFilesPerJob"})
OF_OUTPUT: Final = frozenset({"destination"})
OF_NUMBER: Final = frozenset({"offset"})
OWN: Final[Mapping[str, frozenset[str]]] = {
    "input": OF_INPUT,
    "output": OF_OUTPUT,
    "pseudo_input": OF_NUMBER,
    "number": OF_NUMBER,
}


@dataclass
class Streams:
    """What was found, in the form of a request's fields."""

    inputs: list[str] = field(default_factory=list)
    select: dict[str, Any] = field(default_factory=dict)
    secondary: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the secondary streams
    outputs: list[dict[str, str]] = field(default_factory=list)
    destinations: set[str] = field(default_factory=set)
    offsets: dict[str, int] = field(default_factory=dict)  # SEQNUMBER, FIRSTEVENT
    visible: list[tuple[str, str]] = field(default_factory=list)  # place, text with its blank

    def values(self, *, url: str, library: bool) -> dict[str, str]:
        """What PanDA's placeholders in the parameters stand for."""
        found = dict(words.IN_PARAMETERS) | {"SURL": url}
        if not self.inputs:
            for name in ("IN", "IN/L", "IN/T"):
                del found[name]
        if "SEQNUMBER" in self.offsets:
            found["SEQNUMBER"] = f"${{N+{self.offsets['SEQNUMBER']}}}"
        if "FIRSTEVENT" in self.offsets:
            found["FIRSTEVENT"] = f"${{SKIPEVENTS+{self.offsets['FIRSTEVENT']}}}"
        if library:
            found["LIB"] = "${LIB}"
        return found | words.secondary(self.names)


def dataset_name(value: str) -> str:
    """PanDA marks containers by a slash, and may put the scope in front."""
    return value.rpartition(":")[2].rstrip("/")


def scope_of(dataset: str) -> str:
    """The scope that PanDA gives to what lies in a dataset of this name."""
    parts = dataset.split(".")
    return ".".join(parts[:2]) if parts[0] in ("user", "group") else parts[0]


def read(fields: Fields) -> Streams:
    """Walk through the items, in order."""
    found = Streams()
    for place, item in fields.objects("jobParameters"):
        kind = item.get("param_type") or "constant"
        value = item.get("value", "")
        if not isinstance(value, str):
            fields.refuse(f"{place}.value", "must be a text", code="not_a_string")
            continue
        _check_keys(fields, place, item, kind)
        _take(fields, place, item, kind, value, found)
        if not item.get("hidden"):
            blank = "" if item.get("padding") is False else " "
            found.visible.append((f"{place}.value", _plain(value, found) + blank))
    return found


def _plain(value: str, found: Streams) -> str:
    """`${SEQNUMBER:7}` says its offset inside."""
    for name, offset in _EXTENDED.findall(value):
        found.offsets[name] = int(offset)
    return _EXTENDED.sub(r"${\1}", value)


def _check_keys(fields: Fields, place: str, item: Mapping[str, Any], kind: str) -> None:
    if kind != "constant" and kind not in OWN:
        fields.refuse(f"{place}.param_type", f"{kind} is not offered here")
        return
    for name in sorted(item.keys() - READ - IDLE - OWN.get(kind, frozenset())):
        if item[name] not in NOTHING:
            fields.refuse(f"{place}.{name}", "is not offered here")


def _take(
    fields: Fields, place: str, item: Mapping[str, Any], kind: str, value: str, found: Streams
) -> None:
    if kind == "input":
        _take_input(fields, place, item, value, found)
    elif kind == "output":
        _take_output(fields, place, item, value, found)
    elif kind in ("pseudo_input", "number"):
        stream = _STREAM.search(value)
        offset = Fields(item).whole("offset", low=0)
        if stream and "offset" in item and stream[1] in ("SEQNUMBER", "FIRSTEVENT"):
            found.offsets[stream[1]] = offset


def _take_input(
    fields: Fields, place: str, item: Mapping[str, Any], value: str, found: Streams
) -> None:
    mine = Fields(item)
    names = [dataset_name(one) for one in mine.text("dataset", needed=True).split(",") if one]
    stream = _STREAM.search(value)
    select = _selection(mine)
    each = mine.whole("nFilesPerJob", high=500)
    fields.absorb(place, mine)
    if stream is None:
        fields.refuse(f"{place}.value", "has no ${...} for its files", code="no_stream")
    elif stream[1] == PRIMARY:
        found.inputs += names
        found.select |= select
    elif stream[1] == "DBR":
        fields.refuse(f"{place}.value", "${DBR}: database releases are not offered here")
    else:
        for name in names[:1]:
            one: dict[str, Any] = {"dataset": name, "files_per_job": each or 1}
            found.secondary.append(one | ({"select": select} if select else {}))
            found.names.append(stream[1])


def _selection(item: Fields) -> dict[str, Any]:
    """Which files of a dataset are wanted; empty for all."""
    files = item.list_of_names("files")
    said: dict[str, Any] = {
        "include": [one for one in item.text("include").split(",") if one],
        "exclude": [one for one in item.text("exclude").split(",") if one],
        "lfns": [dataset_name(one) for one in files],
        "skip": item.whole("offset", low=0),
    }
    return {name: value for name, value in said.items() if value}


def _take_output(
    fields: Fields, place: str, item: Mapping[str, Any], value: str, found: Streams
) -> None:
    mine = Fields(item)
    dataset = dataset_name(mine.text("dataset", needed=True))
    destination = mine.text("destination")
    fields.absorb(place, mine)
    if value.startswith("regex|"):
        fields.refuse(f"{place}.value", "regex|: outputs are named before their job runs here")
        return
    lfn = words.translated(value, words.IN_NAMES, place=f"{place}.value", fields=fields)
    found.outputs.append({"dataset": dataset, "scope": scope_of(dataset), "lfn": lfn})
    if destination:
        found.destinations.add(destination)
