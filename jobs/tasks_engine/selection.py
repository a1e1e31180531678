"""Whether the expressions by which a request chooses files are expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import DataError, connection, transaction

from pandasite.base.errors import field_error


def faults(said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Expressions of the request that PostgreSQL does not understand, with what it says."""
    places = [("select", said["select"])]
    places += [(f"secondary[{i}].select", one["select"]) for i, one in enumerate(said["secondary"])]
    for place, select in places:
        for list_ in ("include", "exclude") if select else ():
            for i, text in enumerate(select[list_]):
                if wrong := _wrong(text):
                    words = f"{place}.{list_}[{i}] is no regular expression: {wrong}"
                    yield field_error(f"{place}.{list_}[{i}]", words, code="bad_expression")


def _wrong(expression: str) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT '' ~ %s", [expression])
    except DataError as error:
        return str(error).partition("\n")[0]
    return ""
