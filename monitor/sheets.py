"""Tables of a few thousand rows: sort, columns and pages in the address; HTML, CSV and JSON.

A page declares its columns (django-tables2), makes its rows in Python and answers with `respond`.
Lists that can be longer (jobs, files) page by key: see `monitor.keyset`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.html import format_html
from django_tables2.data import TableListData
from django_tables2.rows import BoundRow
from django_tables2.utils import Accessor, OrderByTuple

from monitor import drawing, pages
from monitor.params import Params
from pandasite.base.params import refuse
from pandasite.base.sheets import safe_cell

PARAMS = ("sort", "columns", "page", "format")  # what every sheet takes beside its own filters
FORMATS = ("html", "json", "csv")
ROWS = 100  # on one page; CSV and JSON have all


def column(
    title: str, help: str, *, kind: type[tables.Column] = tables.Column, **more: Any
) -> tables.Column:
    """A column with its meaning behind its title; `look="n"` sets numbers to the right."""
    look = more.pop("look", "")
    cell = {"class": look} if look else {}
    more.setdefault("default", "")
    before, zone, after = title.partition("(UTC)")
    if zone and getattr(kind, "zoned", False):  # the browser names the zone that it writes in
        title = format_html("{}(<span data-zone>UTC</span>){}", before, after)
    return kind(verbose_name=title, attrs={"th": {"title": help, **cell}, "td": cell}, **more)


class Rows(TableListData):
    """The records of a sheet, each read once to sort them: not with every comparison."""

    def order_by(self, aliases: OrderByTuple) -> None:
        """As the address says; what has no value comes first, or last when turned round."""
        for alias in reversed(aliases):
            for way in reversed(self.table.columns[alias.bare].order_by):
                read = drawing.read_by(Accessor(way.bare))
                values = {id(record): read(record) for record in self.data}
                places = {key: _place(value) for key, value in values.items()}
                try:
                    self.data.sort(key=lambda one: places[id(one)], reverse=way.is_descending)
                except TypeError:  # things that have no order but that of their names
                    self.data.sort(key=lambda one: str(values[id(one)]), reverse=way.is_descending)


def _place(value: Any) -> tuple[bool, str, Any]:
    """Where a value stands: behind none at all, numbers before texts, each kind for itself."""
    if value is None or isinstance(value, int | float):
        return value is not None, "", value or 0
    return True, "str" if isinstance(value, str) else type(value).__name__, value


class Sheet(tables.Table):
    """The base of all sheets; the rows are dataclasses or mappings."""

    def __init__(self, rows: Iterable[Any], **more: Any) -> None:
        super().__init__(Rows([*rows]), **more)

    class Meta:
        template_name = "monitor/sheet.html"
        attrs = {"class": "plain"}
        empty_text = "Nothing to show."

    @property
    def helps(self) -> list[tuple[str, str]]:
        """Title and meaning of each column that is shown."""
        return [(str(c.header), str(c.column.attrs["th"].get("title", ""))) for c in self.columns]

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """Key, title and whether it is shown, of every column."""
        shown = {c.name for c in self.columns}
        return [(c.name, str(c.header), c.name in shown) for c in self.columns.iterall()]

    @property
    def drawn_rows(self) -> str:
        """The rows of the page as HTML."""
        return drawing.rows(self.columns, self.paginated_rows)

    def plain_rows(self) -> list[dict[str, Any]]:
        """All rows as facts, by the key of the column, in the order of the page."""
        return self._facts(self.rows)

    def shown_rows(self) -> list[dict[str, Any]]:
        """Those of the page that was chosen."""
        return self._facts(self.paginated_rows)

    def _facts(self, rows: Iterable[BoundRow]) -> list[dict[str, Any]]:
        readers = [(c.name, drawing.reader(c)) for c in self.columns]
        return [{name: read(row.record) for name, read in readers} for row in rows]


def arrange(sheet: Sheet, params: Params) -> Sheet:
    """Sort, choose columns and take the page that the address asks for. Raises BadInput."""
    every = [c.name for c in sheet.columns.iterall()]
    if sort := params.text("sort"):
        name = sort.removeprefix("-")
        if name not in [c.name for c in sheet.columns.iterall() if c.orderable]:
            raise refuse("sort", sort, f"one of {', '.join(every)}, with - in front to turn round")
        sheet.order_by = sort
    if chosen := params.text("columns", longest=1000):
        names = chosen.split(",")
        if unknown := [name for name in names if name not in every]:
            raise refuse("columns", unknown[0], f"some of {', '.join(every)}")
        for name in set(every) - set(names):
            sheet.columns.hide(name)
    pages_there = max(1, math.ceil(len(sheet.rows) / ROWS))
    page = params.number("page", low=1, high=pages_there) or 1
    sheet.paginate(page=page, per_page=ROWS)
    return sheet


def respond(
    request: HttpRequest,
    template: str,
    sheet: Sheet,
    *,
    params: Params,
    context: Mapping[str, Any],
    now: Any,
    facts: Mapping[str, Any] | None = None,
    name: str = "",
) -> HttpResponseBase:
    """The sheet as HTML, as CSV (`?format=csv`) or, with `facts`, as JSON (`?format=json`).

    `params` must know PARAMS. The template includes `monitor/_sheet.html` and finds `sheet` there.
    `name` is that of the CSV file, by default that of the template.
    """
    form = params.choice("format", FORMATS, default="html")
    arrange(sheet, params)
    if form == "csv":
        name = name or template.rpartition("/")[2].removesuffix(".html")
        return csv_response(sheet.plain_rows(), name=name)
    more = {
        "sheet": sheet,
        "csv_url": _url(request, format="csv"),
        "json_url": _url(request, format="json"),
        "kept": [(k, v) for k, v in params.values.items() if k not in PARAMS],
    }
    # A page is as new as what it shows: of the rows that are on other pages, how many there are.
    whole = form == "json"
    rows = sheet.plain_rows() if whole else [len(sheet.rows), *sheet.shown_rows()]
    data = {**(facts or {}), "rows": rows}
    return pages.respond(request, template, data=data, context={**context, **more}, now=now)


def csv_response(rows: Sequence[Mapping[str, Any]], *, name: str) -> HttpResponse:
    """Rows with the keys of the first one as CSV; no cell begins like a formula."""
    return csv_table(rows[0] if rows else (), (row.values() for row in rows), name=name)


def csv_table(head: Iterable[str], rows: Iterable[Iterable[Any]], *, name: str) -> HttpResponse:
    """A file of this name with a line of heads, if there are any, and the rows."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    if heads := [*head]:
        writer.writerow(heads)
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
    return response


def csv_cell(value: Any) -> str:
    """A value as CSV: times as ISO, and no text that a spreadsheet takes for a formula."""
    return safe_cell(value.isoformat() if hasattr(value, "isoformat") else value)


def _url(request: HttpRequest, **changes: str) -> str:
    kept = {k: v for k, v in request.GET.items() if v and k not in ("page", *changes)}
    return "?" + urlencode({**kept, **changes})
