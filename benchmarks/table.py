"""The figures that were measured last, as a page: what was found beside what must be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HEAD = "| figure | found | against | ratio | must | stretch | holds | others | data | day |"
INTRO = """# The figures as they were measured

Written by `make bench-table` from what `make bench` and `make bench-atlas` have left in
`benchmarks/results/`; [benchmarks.md](benchmarks.md) says what each figure is, and what it is
measured against in the same run. *Others* is how many cores somebody else used meanwhile (where
that is counted): with much of that a rate says little. *Data* is the part of all of the data that
the run had. Where one does not hold, its limit is not kept, or the conditions that are named.
"""


def page(results: Path, names: Sequence[str]) -> str:
    """A line for each of these figures that has a result, in this order, then for the others."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in results.glob("*.json")}
    order = [name for name in names if name in found] + sorted(found.keys() - set(names))
    lines = [_line(found[name]) for name in order]
    return "\n".join([INTRO, HEAD, "|---|---|---|---|---|---|---|---|---|---|", *lines, ""])


def _line(said: Mapping[str, Any]) -> str:
    unit = said["unit"]
    against = _number(said["baseline"])
    cells = (
        f"`{said['figure']}`",
        f"{_number(said['value'])} {unit}" if said["value"] is not None else said.get("why", "-"),
        against and f"{against} {unit}",
        _number(said["ratio"]),
        said["must"],
        said.get("stretch", ""),
        "; ".join(_holds(said)),
        _number(_others(said.get("details", {}))),
        f"{said['scale']:g}" if "scale" in said else "",
        said.get("day", ""),
    )
    return f"| {' | '.join(cells)} |"


def _holds(said: Mapping[str, Any]) -> Iterator[str]:
    if said["holds"]:
        yield "yes, and reaches more" if said.get("reaches") else "yes"
        return
    broken = [name for name, met in said.get("conditions", {}).items() if not met]
    yield "**no**"
    yield from (f"not: {name}" for name in broken)


def _others(details: Mapping[str, Any]) -> float | None:
    """The most of what is said of them anywhere in the details."""
    parts = [part for part in details.values() if isinstance(part, Mapping)]
    found = [details.get("foreign_cores"), *(_others(part) for part in parts)]
    return max((cores for cores in found if cores is not None), default=None)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
