"""Failures as a matrix: workflow x site x code, two of them at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs import ends
from jobs.errors import meaning
from monitor.errors.scope import NO_CODE, Scope
from monitor.jobfilters import NO_TYPE, WORKFLOW, workflow_of

# What stands on the left and at the top, by the name in the address.
SIDES = {
    "workflow-site": ("workflow", "site"),
    "workflow-code": ("workflow", "error"),
    "site-code": ("site", "error"),
}
SHOWN_ROWS, SHOWN_COLUMNS = 40, 12
LEVELS = 5  # shades of a cell
_KEYS = {
    "workflow": ("processing_type", "transformation"),
    "site": ("site_id",),
    "error": ("component", "code"),
}
REST = "others"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row or a column: what it is of, its sum, and the matrix or list of it alone."""

    name: str
    help: str
    n: int
    url: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """`level` 0 is empty, LEVELS the largest of the matrix."""

    n: int
    level: int
    url: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The largest rows and columns; what is not shown is in the sums of the shown ones."""

    by: str
    sides: tuple[str, str]
    columns: Sequence[Entry]
    rows: Sequence[tuple[Entry, Sequence[Cell]]]
    total: int
    n_rows: int
    n_columns: int
    cells: Sequence[tuple[str, str, int, float]]  # all: row, column, failures, CPU-hours

    @property
    def cut(self) -> bool:
        """Whether there are more rows or columns than are shown."""
        return self.n_rows > len(self.rows) or self.n_columns > len(self.columns)

    def as_json(self) -> dict[str, Any]:
        """Every cell that is not empty."""
        return {"by": self.by, "total": self.total, "cells": self.as_rows()}

    def as_rows(self) -> list[dict[str, Any]]:
        """The same, a dictionary for each."""
        left, top = self.sides
        return [
            {left: row, top: column, "failed": n, "cpu_hours": hours}
            for row, column, n, hours in self.cells
        ]


def read(scope: Scope, *, by: str, workflow: str = "") -> Matrix:
    """The matrix of failures that carry an error, most on top and on the left."""
    sides = SIDES[by]
    keys = (*_KEYS[sides[0]], *_KEYS[sides[1]])
    narrowing: dict[str, Any] = {**scope.workflow_narrowing, **scope.error_narrowing}
    if workflow:
        kind, transformation = workflow_of(workflow)
        narrowing |= {"processing_type": [kind], "transformation": [transformation]}
    split = len(_KEYS[sides[0]])
    found = [
        (_name(sides[0], key[:split], scope), _name(sides[1], key[split:], scope), n, cpu_s)
        for key, n, cpu_s in ends.workflows(scope.span, by=keys, **narrowing)
    ]
    return _arrange(found, scope, by=by, workflow=workflow)


def _name(side: str, key: tuple[Any, ...], scope: Scope) -> str:
    if side == "site":
        return scope.site_name(key[0]) or "no site"
    if side == "error":
        return NO_CODE if key[0] == NO_CODE else f"{key[0]}:{key[1]}"
    return f"{key[0] or NO_TYPE}{WORKFLOW}{key[1]}"


def _arrange(
    found: Sequence[tuple[str, str, int, int]], scope: Scope, *, by: str, workflow: str
) -> Matrix:
    sides = SIDES[by]
    left: Counter[str] = Counter()
    top: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    for row, column, n, _cpu in found:
        left[row] += n
        top[column] += n
        cells[row, column] += n
    columns = [name for name, _n in _most(top)[:SHOWN_COLUMNS]]
    rows = [name for name, _n in _most(left)[:SHOWN_ROWS]]
    largest = max(cells.values(), default=0)

    def entry(side: str, name: str, n: int) -> Entry:
        return Entry(name=name, help=_help(side, name), n=n, url=_url(scope, workflow, side, name))

    def cell(row: str, column: str) -> Cell:
        n = cells[row, column]
        url = _jobs_url(scope, dict(zip(sides, (row, column), strict=True)), workflow)
        return Cell(n=n, level=-(-LEVELS * n // largest) if largest else 0, url=url if n else "")

    return Matrix(
        by=by,
        sides=sides,
        columns=[entry(sides[1], name, top[name]) for name in columns],
        rows=[(entry(sides[0], r, left[r]), [cell(r, c) for c in columns]) for r in rows],
        total=sum(left.values()),
        n_rows=len(left),
        n_columns=len(top),
        cells=[
            (row, column, n, round(cpu / 3600, 1))
            for row, column, n, cpu in sorted(found, key=lambda c: (-c[2], c[0], c[1]))
        ],
    )


def _most(names: Counter[str]) -> list[tuple[str, int]]:
    return sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))


def _help(side: str, name: str) -> str:
    if side != "error" or name == NO_CODE:
        return name
    component, _colon, code = name.partition(":")
    return meaning(component, int(code))


def _url(scope: Scope, workflow: str, side: str, name: str) -> str:
    """The other matrix of this row or column alone: what is chosen needs no side of its own."""
    if name == "no site":
        return ""
    by = {"workflow": "site-code", "site": "workflow-code", "error": "workflow-site"}[side]
    changes = {} if side == "workflow" else {side: name}
    more = {"by": by, "workflow": name if side == "workflow" else workflow}
    return scope.url("monitor:errors_matrix", **changes, **more)


def _jobs_url(scope: Scope, chosen: dict[str, str], workflow: str) -> str:
    """The jobs of a cell where the job list can show them, else the matrix without one side."""
    if "no site" in chosen.values():
        return ""
    flow = chosen.get("workflow", workflow)
    named: dict[str, str] = {side: chosen[side] for side in ("site", "error") if side in chosen}
    if scope.listable and named.get("error") != NO_CODE:
        return scope.jobs_url(state="failed", workflow=flow, **named)
    if not flow:
        return ""
    side = "site" if "site" in named else "error"
    by = "workflow-code" if side == "site" else "workflow-site"
    return scope.url("monitor:errors_matrix", **{side: named[side]}, by=by, workflow=flow)
