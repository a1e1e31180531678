"""Serializer fields that convert nothing in silence.

DRF's own fields are kind: "1.0" is an integer and 7 is a text. A pilot with a wrong idea of the
protocol should hear it in the first answer. Every refusal carries its
limit in the error code (`Code.limit`), from where `problems.py` copies it into the answer.
Messages are predicates ("must be between 0 and 5"): `problems.py` puts the field name in front.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, Self

from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.fields import empty

from pandasite.base.flaws import BadNumber

# Words that DRF puts on every field; the rest of the messages are made where the limit is known.
PREDICATES: dict[str, Any] = {"required": "is required", "null": "must not be null"}
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
# Line ends and tabs aside, control characters forge log lines and terminal output; the
# direction marks make a page show another text than the one stored.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SURROGATE = re.compile("[\ud800-\udfff]")


class Code(str):
    """An error code that carries its limit. DRF rebuilds messages on their way up, never codes."""

    limit: Mapping[str, Any]

    def __new__(cls, code: str, **limit: Any) -> Self:
        made = super().__new__(cls, code)
        made.limit = limit
        return made


def refuse(code: str, message: str, *, field: str | None = None, **limit: Any) -> NoReturn:
    """Raise DRF's ValidationError with one coded predicate and its limit.

    A rule over several fields, in `validate()`, says by `field` which one is to be changed.
    """
    detail: Any = message if field is None else {field: [message]}
    raise serializers.ValidationError(detail, code=Code(code, **limit))


def check_list(data: Any, *, low: int, high: int | None) -> None:
    """Refuse what is no list or has fewer than `low` or more than `high` items."""
    if not isinstance(data, list):
        refuse("not_a_list", "must be a list")
    if high is not None and len(data) > high:
        message = f"must have at most {high} items, not {len(data)}"
        refuse("too_many", message, min=low, max=high)
    if len(data) < low:
        refuse("too_few", f"must have at least {low} item{'s' * (low != 1)}", min=low, max=high)


class StrictListField(serializers.ListField):
    """A list of at most `max_length` items (needed)."""

    default_error_messages = PREDICATES

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        """Check kind and length first, then every item."""
        low = self.min_length or (0 if self.allow_empty else 1)
        check_list(data, low=low, high=self.max_length)
        return list(super().to_internal_value(data))


def _refuse_bad_number(data: Any, low: float, high: float) -> None:
    """What the decoder could not take is told the range of the field, not that of the decoder."""
    if isinstance(data, BadNumber):
        refuse(data.code, f"must be a number from {low} to {high}", min=low, max=high)


class StrictIntegerField(serializers.IntegerField):
    """An integer between `min_value` and `max_value` (both needed); no bool, float or text."""

    default_error_messages = PREDICATES

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        self.bounds = (min_value, max_value)
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        """The number itself."""
        low, high = self.bounds
        _refuse_bad_number(data, low, high)
        if type(data) is not int:
            refuse("not_an_integer", f"must be an integer from {low} to {high}", min=low, max=high)
        if not low <= data <= high:
            refuse("out_of_range", f"must be between {low} and {high}", min=low, max=high)
        return data


class StrictFloatField(serializers.FloatField):
    """A finite number between `min_value` and `max_value` (both needed); no bool or text."""

    default_error_messages = PREDICATES

    def __init__(self, *, min_value: float, max_value: float, **kwargs: Any) -> None:
        self.bounds = (min_value, max_value)
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        """The number as float."""
        low, high = self.bounds
        _refuse_bad_number(data, low, high)
        if type(data) not in (int, float) or not math.isfinite(data):
            refuse("not_a_number", f"must be a number from {low} to {high}", min=low, max=high)
        if not low <= data <= high:
            refuse("out_of_range", f"must be between {low} and {high}", min=low, max=high)
        return float(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`, nothing that looks like it."""

    default_error_messages = PREDICATES

    def to_internal_value(self, data: Any) -> bool:
        """The boolean itself."""
        if not isinstance(data, bool):
            refuse("not_a_boolean", "must be true or false", values=[True, False])
        return data


class StrictCharField(serializers.CharField):
    """A text of at most `max_length` characters (needed), kept as it came.

    One line without control characters, or with `multiline=True` any text that PostgreSQL can
    store: the tail of a program's output has whatever the program wrote.
    """

    default_error_messages = PREDICATES

    def __init__(self, *, max_length: int, multiline: bool = False, **kwargs: Any) -> None:
        self.multiline = multiline
        super().__init__(max_length=max_length, trim_whitespace=False, **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        """Refuse other kinds before DRF turns them into text to see whether they are blank."""
        if isinstance(data, str) and not data.strip() and not self.allow_blank:
            refuse("blank", "must not be blank")
        if data is not empty and data is not None and not isinstance(data, str):
            refuse("not_text", "must be a text", max=self.max_length)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        """The text, unchanged."""
        self._check_length(data)
        if "\0" in data:
            refuse("null_character", "must not contain the character U+0000")
        if SURROGATE.search(data):
            refuse("bad_character", "must not contain half a surrogate pair")
        if not self.multiline and CONTROL.search(data):
            refuse("control_character", "must be one line without control characters")
        return str(data)

    def _check_length(self, text: str) -> None:
        low, high = self.min_length or 0, self.max_length or 0
        if len(text) > high:
            message = f"must have at most {high} characters, not {len(text)}"
            refuse("too_long", message, min=low, max=high)
        if len(text) < low:
            refuse("too_short", f"must have at least {low} characters", min=low, max=high)


class AwareDateTimeField(serializers.DateTimeField):
    """A moment in ISO 8601 with its time zone, from 1970 to 2199; comes out in UTC."""

    default_error_messages = PREDICATES

    def to_internal_value(self, value: Any) -> dt.datetime:
        """The moment in UTC."""
        moment = _moment(value)
        if moment.tzinfo is None:
            refuse("timezone_required", "must name its time zone, as in 2009-01-31T12:00:00Z")
        # Compared before it is converted: the conversion overflows at the ends of the calendar.
        if not EARLIEST <= moment < LATEST:
            low, high = EARLIEST.isoformat(), LATEST.isoformat()
            refuse("out_of_range", f"must be between {low} and {high}", min=low, max=high)
        return moment.astimezone(dt.UTC)


def _moment(value: Any) -> dt.datetime:
    """The parsed text; a form that is right with a day that is not counts as wrong, too."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) and len(value) <= 64 else None
    except ValueError:
        moment = None
    if moment is None:
        refuse("invalid_time", "must be a time such as 2009-01-31T12:00:00Z")
    return moment


class ChoiceField(serializers.ChoiceField):
    """One of the texts in `choices`; the refusal has the code `unknown_code` and lists them."""

    default_error_messages = PREDICATES

    def __init__(self, *, choices: Any, unknown_code: str = "unknown_value", **kwargs: Any) -> None:
        self.unknown_code = unknown_code
        super().__init__(choices=choices, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """The choice; numbers and booleans are not taken for their text."""
        if data == "" and self.allow_blank:
            return ""
        values = self.choice_strings_to_values
        if not isinstance(data, str) or data not in values:
            refuse(self.unknown_code, f"must be one of {', '.join(values)}", values=list(values))
        return values[data]
