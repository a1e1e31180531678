"""Serializers that refuse what they do not know; the one door to them and their fields.

DRF drops a key that it has no field for, so a misspelt name would pass for an absent one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.serializers import (
    LIST_SERIALIZER_KWARGS,
    LIST_SERIALIZER_KWARGS_REMOVE,
    as_serializer_error,
)

from pandasite.base.fields import (
    PREDICATES,
    AwareDateTimeField,
    ChoiceField,
    Code,
    StrictBooleanField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
    StrictListField,
    check_list,
    refuse,
)
from pandasite.base.json import BadNumber
from pandasite.base.name_fields import (
    Adler32Field,
    DatasetNameField,
    GuidField,
    LfnField,
    NameField,
    ScopeField,
)

__all__ = [
    "Adler32Field",
    "AwareDateTimeField",
    "ChoiceField",
    "Code",
    "DatasetNameField",
    "GuidField",
    "LfnField",
    "NameField",
    "ScopeField",
    "StrictBooleanField",
    "StrictCharField",
    "StrictFloatField",
    "StrictIntegerField",
    "StrictListField",
    "StrictListSerializer",
    "StrictSerializer",
    "refuse",
]

# A body of a thousand unknown keys is answered with the first few.
UNKNOWN_NAMED = 10


class StrictListSerializer(serializers.ListSerializer[Any]):
    """What `many=True` makes: a list with its bounds in the error."""

    default_error_messages = PREDICATES
    min_length: int | None
    max_length: int | None

    def to_internal_value(self, data: Any) -> list[Any]:
        """Check kind and length first, then every item."""
        low = self.min_length or (0 if self.allow_empty else 1)
        with _of_no_field():
            check_list(data, low=low, high=self.max_length)
        return list(super().to_internal_value(data))


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses keys that it has no writable field for, and proposes the names that are close."""

    default_error_messages = PREDICATES

    if TYPE_CHECKING:  # the stubs do not know the bounds that `many=True` takes

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> StrictListSerializer:
        """As DRF does it, with our list. Not by `Meta`: a subclass with a Meta would lose it."""
        child = {k: v for k, v in kwargs.items() if k not in LIST_SERIALIZER_KWARGS_REMOVE}
        own = {k: v for k, v in kwargs.items() if k in LIST_SERIALIZER_KWARGS}
        return StrictListSerializer(*args, **own, child=cls(*args, **child))  # type: ignore[misc]

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """All errors at once: those of the fields and those of unknown keys."""
        if not isinstance(data, Mapping):
            with _of_no_field():
                refuse("not_an_object", "must be an object")
        unknown = self._unknown_keys(data)
        try:
            value: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**unknown, **as_serializer_error(error)}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown_keys(self, data: Mapping[str, Any]) -> dict[str, Any]:
        known = [str(field.field_name) for field in self._writable_fields]
        unknown = [key for key in data if key not in known]
        return {
            key: [_bad_number(data[key]) or _unknown_field(key, known)]
            for key in unknown[:UNKNOWN_NAMED]
        }


@contextmanager
def _of_no_field() -> Iterator[None]:
    """Serializers keep their errors by field, also the error that there are no fields."""
    try:
        yield
    except serializers.ValidationError as error:
        raise serializers.ValidationError(as_serializer_error(error)) from error


def _bad_number(value: Any) -> ErrorDetail | None:
    """What would be wrong with the value of any field."""
    if not isinstance(value, BadNumber):
        return None
    return ErrorDetail(value.message, code=Code(value.code, **value.limit))


def _unknown_field(key: str, known: Iterable[str]) -> ErrorDetail:
    close = difflib.get_close_matches(key[:64], known, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return ErrorDetail(f"is not a known field{hint}", code=Code("unknown_field", close=close))
