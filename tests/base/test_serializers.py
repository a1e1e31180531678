"""Strict serializers: unknown keys, lists with bounds, and what the API description says."""

from typing import Any

import pytest
from rest_framework import serializers

from pandasite.base.serializers import (
    StrictCharField,
    StrictIntegerField,
    StrictListSerializer,
    StrictSerializer,
    refuse,
)


class JobSerializer(StrictSerializer):
    panda_id = serializers.IntegerField(read_only=True)
    name = StrictCharField(max_length=20)
    cores = StrictIntegerField(min_value=1, max_value=8, required=False)

    class Meta:
        ref_name = "Job"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["name"] == "heavy" and attrs.get("cores") == 1:
            refuse("too_few_cores", "needs more than 1 core", min=2)
        if attrs["name"] == "light" and attrs.get("cores") == 8:
            refuse("too_many_cores", "must be less for a light job", field="cores", max=7)
        return attrs


def codes(serializer: serializers.BaseSerializer[Any]) -> Any:
    assert not serializer.is_valid()
    errors: Any = serializer.errors
    return {key: [detail.code for detail in found] for key, found in errors.items()}


def test_what_is_known_is_taken() -> None:
    serializer = JobSerializer(data={"name": "a", "cores": 8})
    assert serializer.is_valid()
    assert serializer.validated_data == {"name": "a", "cores": 8}


def test_an_unknown_key_is_told_beside_the_other_errors() -> None:
    found = codes(JobSerializer(data={"nmae": "a", "cores": 9}))
    assert found == {"nmae": ["unknown_field"], "name": ["required"], "cores": ["out_of_range"]}


def test_a_key_that_only_the_server_writes_is_unknown() -> None:
    assert codes(JobSerializer(data={"name": "a", "panda_id": 7})) == {
        "panda_id": ["unknown_field"]
    }


def test_a_thousand_unknown_keys_are_answered_with_ten() -> None:
    data = {f"key{i}" * 100: 1 for i in range(1000)}
    assert len(codes(JobSerializer(data={"name": "a", **data}))) == 10


def test_a_rule_over_fields_may_refuse_with_its_limit() -> None:
    serializer = JobSerializer(data={"name": "heavy", "cores": 1})
    assert not serializer.is_valid()
    (detail,) = serializer.errors["non_field_errors"]
    assert (detail.code, detail.code.limit) == ("too_few_cores", {"min": 2})


def test_many_is_strict_though_the_serializer_has_a_meta_of_its_own() -> None:
    many: Any = JobSerializer(many=True, data=[{"name": "a"}] * 3, max_length=2)
    assert isinstance(many, StrictListSerializer)
    assert not many.is_valid()


def test_a_rule_over_fields_may_name_the_one_to_change() -> None:
    assert codes(JobSerializer(data={"name": "light", "cores": 8})) == {"cores": ["too_many_cores"]}


@pytest.mark.parametrize("data", [{}, "text", 7, {"0": {}}])
def test_many_takes_lists_only(data: Any) -> None:
    assert codes(JobSerializer(many=True, data=data)) == {"non_field_errors": ["not_a_list"]}


@pytest.mark.parametrize("data", [[], "text", 7])
def test_one_takes_objects_only(data: Any) -> None:
    assert codes(JobSerializer(data=data)) == {"non_field_errors": ["not_an_object"]}


def test_many_can_be_written_out() -> None:
    jobs: Any = [{"panda_id": 1, "name": "a", "cores": 1}]
    assert JobSerializer(jobs, many=True).data == jobs
