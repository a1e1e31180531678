"""Tables as files: CSV and JSON, read strictly and written safely, for import and export.

What the libraries below forgive turns into wrong rows: short CSV rows, columns named twice, JSON
objects with their keys in another order. All of that is refused here, with the row.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import tablib
from import_export.formats import base_formats

from pandasite.base.errors import BadInput
from pandasite.base.json import loads_strict

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 10_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BadSheet(ValueError):
    """The file is not the table it should be; the text says where."""


def safe_cell(value: Any) -> str:
    """A CSV cell that no spreadsheet takes for a formula: such a text gets an apostrophe."""
    text = "" if value is None else str(value)
    is_text = isinstance(value, str)
    return f"'{text}" if is_text and text.startswith(FORMULA) else text


class SheetCSV(base_formats.CSV):
    """Comma-separated values in UTF-8 with one header line."""

    def create_dataset(self, in_stream: bytes | str, **_: Any) -> tablib.Dataset:
        """The rows of the file. Raises BadSheet."""
        text = _text(in_stream)
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise BadSheet(f"line {line} has the character U+0000")
        try:
            lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise BadSheet(f"the file is not CSV: {error}") from error
        header, *rows = lines or [[]]
        return _dataset(header, [row for row in rows if row])

    def export_data(self, dataset: tablib.Dataset, **_: Any) -> str:
        """The text of the file."""
        rows = [[safe_cell(cell) for cell in row] for row in dataset]
        return str(tablib.Dataset(*rows, headers=dataset.headers).export("csv"))


class SheetJSON(base_formats.JSON):
    """A list of objects that all have the same keys."""

    def create_dataset(self, in_stream: bytes | str, **_: Any) -> tablib.Dataset:
        """The rows of the file. Raises BadSheet."""
        # The strict reader wants an object at the top, so that faults can be named from it.
        text = _text(in_stream)
        _must_be_json(text)
        wrapped = b'{"rows":' + text.encode() + b"}"
        try:
            rows = loads_strict(wrapped, max_bytes=MAX_BYTES + 16).get("rows")
        except BadInput as error:
            raise BadSheet(f"the file is not JSON as it should be: {error.message}") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadSheet("the file must be a list of objects, one per row")
        header = list(rows[0]) if rows else []
        for number, row in enumerate(rows, 1):
            if row.keys() != set(header):
                odd = ", ".join(sorted(row.keys() ^ set(header)))
                raise BadSheet(f"row {number} has other keys than row 1: {odd}")
        return _dataset(header, [[row[key] for key in header] for row in rows])


def _must_be_json(text: str) -> None:
    """A fault is told by its place in the file itself."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadSheet(f"the file is not JSON: {error.msg} at {where}") from error
    except RecursionError:
        pass  # the strict reader says how deep it may be


def _text(raw: bytes | str) -> str:
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    except UnicodeDecodeError as error:
        raise BadSheet(f"the file is not UTF-8: byte {error.start + 1}") from error
    if not text.strip():
        raise BadSheet("the file is empty")
    return text


def _dataset(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> tablib.Dataset:
    if twice := {name for name in header if list(header).count(name) > 1}:
        raise BadSheet(f"columns that come twice: {', '.join(sorted(twice))}")
    if not rows:
        raise BadSheet("the file has no rows")
    if len(rows) > MAX_ROWS:
        raise BadSheet(f"the file has {len(rows):,} rows, at most {MAX_ROWS:,} are read at once")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise BadSheet(f"row {number} has {len(row)} cells, the header has {len(header)}")
    return tablib.Dataset(*rows, headers=list(header))
