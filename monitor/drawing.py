"""The rows of a sheet as HTML. What a column looks like is found out once, not with each cell.

django-tables2 asks for the signature of a renderer and works out all attributes in every cell,
which is most of the time of a page of a hundred rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model
from django.template import Context
from django.template.base import render_value_in_context
from django.utils.html import format_html, format_html_join
from django_tables2.columns.base import BoundColumn
from django_tables2.rows import BoundRow
from django_tables2.utils import Accessor, signature

Read = Callable[[Any], Any]  # the value of a record in a column
Words = Callable[[Any, Any], Any]  # what a cell shows, of the record and its value


def rows(columns: Iterable[BoundColumn], shown: Iterable[BoundRow]) -> str:
    """The rows of a table, safe; the first column has the names of the rows."""
    name, *others = [_Drawn(column) for column in columns]
    lines = (
        (
            name.attrs,
            name.text(row),
            format_html_join("", "<td{}>{}</td>", ((one.attrs, one.text(row)) for one in others)),
        )
        for row in shown
    )
    return format_html_join("\n", '<tr><th scope="row"{}>{}</th>{}</tr>', lines)


def reader(column: BoundColumn) -> Read:
    """What reads the value of a column from a record; None where the record has none."""
    return read_by(column.accessor)


def read_by(accessor: Accessor) -> Read:
    """The same of the way that an accessor names."""
    name = str(accessor)

    def read(record: Any) -> Any:
        value = record.get(name) if isinstance(record, dict) else getattr(record, name, None)
        if value is None or callable(value):  # a way of several steps, or a method
            return accessor.resolve(record, quiet=True)
        return value

    return read


class _Drawn:
    """A column, ready to draw its cells."""

    def __init__(self, column: BoundColumn) -> None:
        attrs = column.attrs["td"].as_html()
        self.attrs = format_html(" {}", attrs) if attrs else ""
        self._name = column.name
        self._read = reader(column)
        self._empty = column.column.empty_values
        self._default = _text(column.default)
        self._own = _is_own(column)
        self._words = _words(column.render)
        self._url = _words(column.link.url) if column.link else None

    def text(self, row: BoundRow) -> str:
        """What stands in the cell of a row, safe or to be escaped."""
        record = row.record
        if not self._own or isinstance(record, Model):  # which has words for its choices
            return _text(row.get_cell(self._name))
        value = self._read(record)
        if value in self._empty:
            return self._default
        text = _text(self._words(record, value))
        url = self._url(record, value) if self._url else None
        return text if url is None else format_html('<a href="{}">{}</a>', url, text)


def _is_own(column: BoundColumn) -> bool:
    """Whether a cell is drawn of the record, which has the value itself, and nothing else."""
    asked, link = {*signature(column.render)[0]}, column.link
    if link is not None:
        if not callable(link.url) or link.attrs:
            return False
        asked |= {*signature(link.url)[0]}
    return asked <= {"record", "value"} and len(column.accessor.bits) == 1


def _words(render: Any) -> Words:
    asked = {*signature(render)[0]} if callable(render) else set()
    if asked == {"record", "value"}:
        return lambda record, value: render(record=record, value=value)
    if asked == {"record"}:
        return lambda record, value: render(record=record)
    return lambda record, value: render(value=value)


_PLAIN = Context()


def _text(value: Any) -> str:
    """As a template shows it."""
    return value if isinstance(value, str) else render_value_in_context(value, _PLAIN)
