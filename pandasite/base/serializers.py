"""Serializers that refuse what they do not know; the one door to them and their fields.

DRF drops a key that it has no field for, so a misspelt name would pass for an absent one.
What is plainly right goes a short way (`plain.py`), everything else that of DRF.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty
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
from pandasite.base.flaws import BadNumber
from pandasite.base.name_fields import (
    Adler32Field,
    DatasetNameField,
    GuidField,
    LfnField,
    NameField,
    ScopeField,
)
from pandasite.base.plain import NotPlain, Take, take_list, take_of

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
    "at_first_sight",
    "refuse",
    "validated",
]

# A body of a thousand unknown keys is answered with the first few.
UNKNOWN_NAMED = 10
_ABSENT: Any = object()  # no value of the client
_LEFT_OUT: Any = object()  # a default that there is not


def validated(kind: type[StrictSerializer], data: Any) -> Any:
    """What `kind` makes of a body; raises DRF's ValidationError with every fault.

    One serializer of each kind serves all requests and threads: DRF copies every field when it
    makes one, and nothing of a body is kept on it by `run_validation`.
    """
    return _of_all(kind).run_validation(data)


def at_first_sight(kind: type[StrictSerializer], data: Any) -> Any:
    """What `validated` gives for a body that is plainly right; NotPlain for all others."""
    take = _of_all(kind).short_way
    if take is None:
        raise NotPlain
    try:
        return take(data)
    except serializers.ValidationError as error:
        raise NotPlain from error


@cache
def _of_all(kind: type[StrictSerializer]) -> StrictSerializer:
    return kind()


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

    @property
    def short_way(self) -> Take | None:
        """The short way of the whole list, None when its items have none."""
        item = getattr(self.child, "short_way", None)
        own = type(self) is StrictListSerializer and not self.validators and not self.read_only
        return take_list(self, item) if item and own and self.source == self.field_name else None


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

    def run_validation(self, data: Any = empty) -> Any:
        """As DRF does it; a short way is tried first and settles nothing but what is right."""
        if self.short_way is not None:
            try:
                return self.short_way(data)
            except (NotPlain, serializers.ValidationError):
                pass  # the long way says what is wrong, and where
        return super().run_validation(data)

    @cached_property
    def short_way(self) -> Take | None:
        """What takes an object that is plainly right; None when a rule is in the way of it."""
        fields = list(self._writable_fields)
        if not _is_plain(self, fields):
            return None
        plan = []
        for field in fields:
            take = getattr(field, "short_way", None) or take_of(field)
            if take is None:
                return None
            plan.append((str(field.field_name), take, _absent(field)))
        return _take_object(plan, self.validate)

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


def _is_plain(serializer: StrictSerializer, fields: Sequence[Any]) -> bool:
    """Whether nothing but its fields and its `validate` has a say."""
    kind = type(serializer)
    ours = all(
        getattr(kind, name) is getattr(StrictSerializer, name)
        for name in ("run_validation", "to_internal_value", "run_validators")
    )
    ruled = any(hasattr(serializer, f"validate_{field.field_name}") for field in fields)
    made = any(field.default is not empty and callable(field.default) for field in fields)
    partial = getattr(serializer.root, "partial", False)
    named = serializer.source == serializer.field_name and not serializer.read_only
    return ours and named and not (ruled or made or partial or serializer.validators)


def _absent(field: Any) -> Any:
    """What stands for a field that the client left out."""
    if field.required:
        return _ABSENT
    return _LEFT_OUT if field.default is empty else field.default


def _take_object(plan: Sequence[tuple[str, Take, Any]], validate: Take) -> Take:
    def take(data: Any) -> Any:
        if type(data) is not dict:
            raise NotPlain
        value: dict[str, Any] = {}
        said = 0
        for name, take_one, absent in plan:
            one = data.get(name, _ABSENT)
            if one is not _ABSENT:
                value[name] = take_one(one)
                said += 1
            elif absent is _ABSENT:
                raise NotPlain
            elif absent is not _LEFT_OUT:
                value[name] = absent
        if said != len(data):
            raise NotPlain  # a key without a field
        return validate(value)

    return take


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
