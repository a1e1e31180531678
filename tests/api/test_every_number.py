"""Every integer field of every body: what is no number of its range is told this very range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import BaseSerializer, Field, ListField, ListSerializer

from jobs.api.bodies import ClaimBody, KillBody, ReportBody, SubmitBody
from jobs.api.tasks import RetryBody, TasksBody
from pandasite.base.json import loads_strict
from pandasite.base.serializers import StrictIntegerField

BAD = ("NaN", "Infinity", "1e400", "-1e400", str(2**63), "9" * 5000, "1.5", "true", '"7"', "[]")


def integers(field: Field[Any, Any, Any, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    """The integer fields below a serializer, with their places."""
    if isinstance(field, StrictIntegerField):
        yield name, field
    elif isinstance(field, ListSerializer | ListField):
        yield from integers(field.child, f"{name}[]")  # type: ignore[arg-type]
    elif isinstance(field, BaseSerializer):
        for inner_name, inner in field.fields.items():  # type: ignore[attr-defined]
            yield from integers(inner, f"{name}.{inner_name}")


FIELDS = dict(
    pair
    for body in (ClaimBody, ReportBody, SubmitBody, KillBody, TasksBody, RetryBody)
    for pair in integers(body(), body.__name__)
)


def test_all_of_them_are_found() -> None:
    assert len(FIELDS) > 20
    assert "ReportBody.output_files[].size" in FIELDS
    assert "KillBody.panda_ids[]" in FIELDS


@pytest.mark.parametrize("text", BAD, ids=[text[:20] for text in BAD])
@pytest.mark.parametrize("name", FIELDS)
def test_a_refused_number_is_told_the_range_of_its_field(name: str, text: str) -> None:
    # given
    field = FIELDS[name]
    low, high = field.bounds
    value = loads_strict(b'{"n": ' + text.encode() + b"}", max_bytes=10_000, keep_bad_numbers=True)[
        "n"
    ]
    # when
    with pytest.raises(ValidationError) as refused:
        field.run_validation(value)
    # then
    (detail,) = refused.value.detail
    assert detail.code in ("not_a_number", "out_of_range", "not_an_integer")
    assert detail.code.limit == {"min": low, "max": high}
    assert str(low) in detail and str(high) in detail
