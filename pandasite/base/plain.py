"""The short way through a field or serializer for data that is plainly right.

DRF asks a dozen questions of every value: ten thousand values are a second. `take_of` makes of a
field one function that gives what `run_validation` would give, for data without a fault, and
raises NotPlain for all other: then the long way is gone, which finds the words and the place.
Only kinds of fields that are listed here have a short way, so a subclass with rules of its own
takes the long one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pandasite.base.fields import (
    CONTROL,
    SURROGATE,
    AwareDateTimeField,
    ChoiceField,
    StrictBooleanField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
    StrictListField,
)
from pandasite.base.name_fields import (
    Adler32Field,
    DatasetNameField,
    GuidField,
    LfnField,
    NameField,
    ScopeField,
)

Take = Callable[[Any], Any]


class NotPlain(Exception):
    """Not seen to be right at first sight; the long way decides."""


def take_of(field: Any) -> Take | None:
    """The short way of a serializer's field, None when it has none.

    It raises NotPlain, or as well the ValidationError of the field.
    """
    make = _MAKERS.get(type(field))
    added = field._kwargs.get("validators")  # the rules of somebody else
    if make is None or added or field.read_only or field.source != field.field_name:
        return None
    take = make(field)
    return _or_none(take) if take and field.allow_null else take


def _or_none(take: Take) -> Take:
    return lambda data: None if data is None else take(data)


def _integer(field: Any) -> Take:
    low, high = field.bounds

    def take(data: Any) -> int:
        if type(data) is int and low <= data <= high:
            return data
        raise NotPlain

    return take


def _float(field: Any) -> Take:
    low, high = field.bounds

    def take(data: Any) -> float:
        if type(data) in (int, float) and math.isfinite(data) and low <= data <= high:
            return float(data)
        raise NotPlain

    return take


def _boolean(_field: Any) -> Take:
    def take(data: Any) -> bool:
        if type(data) is bool:
            return data
        raise NotPlain

    return take


def _text(field: Any) -> Take:
    return _lines(field) if field.multiline else _line(field)


def _line(field: Any) -> Take:
    low, high, blank = field.min_length or 0, field.max_length, field.allow_blank

    def take(data: Any) -> str:
        if type(data) is not str or not low <= len(data) <= high:
            raise NotPlain
        # Nothing printable is a control character, a direction mark or half a surrogate pair.
        if not data.isprintable() and (CONTROL.search(data) or SURROGATE.search(data)):
            raise NotPlain
        if blank or data.strip():
            return data
        raise NotPlain

    return _or_empty(take) if blank else take


def _lines(field: Any) -> Take:
    low, high, blank = field.min_length or 0, field.max_length, field.allow_blank

    def take(data: Any) -> str:
        if type(data) is not str or not low <= len(data) <= high or "\0" in data:
            raise NotPlain
        if not data.isascii() and SURROGATE.search(data):
            raise NotPlain
        if blank or data.strip():
            return data
        raise NotPlain

    return _or_empty(take) if blank else take


def _name(field: Any) -> Take:
    low, high, stored = field.min_length or 0, field.max_length, field.stored
    fits = field.pattern.fullmatch

    def take(data: Any) -> str:
        if type(data) is str and low <= len(data) <= high and ".." not in data and fits(data):
            return str(stored(data))
        raise NotPlain

    return _or_empty(take) if field.allow_blank else take


def _or_empty(take: Take) -> Take:
    """An empty text is asked nothing, not even whether it is long enough."""
    return lambda data: take(data) if data != "" else ""


def _choice(field: Any) -> Take:
    values = field.choice_strings_to_values

    def take(data: Any) -> Any:
        if type(data) is str and data in values:
            return values[data]
        raise NotPlain

    return take


def _list(field: Any) -> Take | None:
    item = take_of(field.child)
    return None if item is None else take_list(field, item)


def take_list(field: Any, item: Take) -> Take:
    """The short way of a list, field or serializer, whose items have one."""
    low = field.min_length or (0 if field.allow_empty else 1)
    high = math.inf if field.max_length is None else field.max_length

    def take(data: Any) -> list[Any]:
        if type(data) is list and low <= len(data) <= high:
            return [item(one) for one in data]
        raise NotPlain

    return take


_MAKERS: dict[type, Callable[[Any], Take | None]] = {
    StrictIntegerField: _integer,
    StrictFloatField: _float,
    StrictBooleanField: _boolean,
    StrictCharField: _text,
    StrictListField: _list,
    AwareDateTimeField: lambda field: field.to_internal_value,
    ChoiceField: _choice,
    **dict.fromkeys((NameField, LfnField, ScopeField, DatasetNameField, GuidField), _name),
    Adler32Field: _name,
}
