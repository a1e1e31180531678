"""Pages of a sorted list that cost the same wherever they start: the cursor is the last row.

A cursor is `<PandaID>` in a list sorted by PandaID, else `<value>,<PandaID>`. The value is a
number, an ISO time, or empty for "none", which comes last in either direction.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q
from django.db.models.expressions import OrderBy

from jobs.models import AnyJob
from pandasite.base.params import refuse

BIGGEST = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that the list may be sorted by."""

    field: str
    is_time: bool = False
    nullable: bool = False


SORTS = {
    "panda_id": Column(field="panda_id"),
    "created": Column(field="creation_time", is_time=True),
    "changed": Column(field="state_change_time", is_time=True),
    "ended": Column(field="end_time", is_time=True, nullable=True),
    "priority": Column(field="current_priority"),
    "attempt": Column(field="attempt_nr"),
    "cpu": Column(field="cpu_consumption_time"),
}
DEFAULT_SORT = "-panda_id"


@dataclass(frozen=True, kw_only=True)
class Sort:
    """By which column, in which direction; equal rows go by PandaID in the same direction."""

    name: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> Sort:
        """`ended`, or `-ended` for the latest first."""
        descending, name = text.startswith("-"), text.removeprefix("-")
        if name not in SORTS:
            words = [*SORTS, *(f"-{known}" for known in SORTS)]
            raise refuse(
                "sort", text, f"one of {', '.join(words)}", code="unknown_sort", values=words
            )
        return cls(name=name, descending=descending)

    @property
    def column(self) -> Column:
        return SORTS[self.name]

    def other_way(self, name: str) -> str:
        """What a click on the head of column `name` asks for: latest first, then the reverse."""
        return name if name == self.name and self.descending else f"-{name}"

    def order_by(self) -> list[OrderBy]:
        """For the queryset."""
        fields = [] if self.name == "panda_id" else [self.column.field]
        return [self._order(field) for field in [*fields, "panda_id"]]

    def _order(self, field: str) -> OrderBy:
        nulls = {"nulls_last": True} if field == self.column.field and self.column.nullable else {}
        return F(field).desc(**nulls) if self.descending else F(field).asc(**nulls)

    def cursor(self, job: AnyJob) -> str:
        """The cursor that continues behind this job."""
        if self.name == "panda_id":
            return str(job.pk)
        value = getattr(job, self.column.field)
        text = "" if value is None else value.isoformat() if self.column.is_time else str(value)
        return f"{text.replace('+00:00', 'Z')},{job.pk}"

    def beyond(self, cursor: str) -> Q:
        """The rows behind the cursor; BadInput when it is none of this sort order."""
        if self.name == "panda_id":
            return self._behind("panda_id", _number(cursor, cursor))
        text, comma, number = cursor.rpartition(",")
        if not comma:
            raise _bad(cursor)
        panda_id = _number(number, cursor)
        field = self.column.field
        tie = self._behind("panda_id", panda_id)
        if not text and self.column.nullable:
            return Q(**{f"{field}__isnull": True}) & tie
        value = _time(text, cursor) if self.column.is_time else _signed(text, cursor)
        further = self._behind(field, value) | (Q(**{field: value}) & tie)
        # Said twice: from "at or behind" alone an index knows where to begin.
        bound = Q(**{f"{field}__{'lte' if self.descending else 'gte'}": value})
        if self.column.nullable:
            none = Q(**{f"{field}__isnull": True})
            return (bound | none) & (further | none)
        return bound & further

    def _behind(self, field: str, value: Any) -> Q:
        return Q(**{f"{field}__{'lt' if self.descending else 'gt'}": value})


def _bad(cursor: str) -> Exception:
    return refuse("before", cursor, "the `before` of the page in front of it", code="bad_cursor")


def _number(text: str, cursor: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= BIGGEST):
        raise _bad(cursor)
    return int(text)


def _signed(text: str, cursor: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11):
        raise _bad(cursor)
    return sign * int(digits)


def _time(text: str, cursor: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _bad(cursor) from None
    if time.tzinfo is None or not 1970 <= time.year < 2200:
        raise _bad(cursor)
    return time
