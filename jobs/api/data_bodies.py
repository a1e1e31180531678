"""What requests about data may hold: each field with its range."""

from __future__ import annotations

from typing import Any

from datasets.models import Dataset
from datasets.subscriptions import PRIORITIES
from jobs.api.bodies import DATASET_MAX, INT64
from pandasite.base import serializers as strict

FILES_MAX = 1000  # of a call
MADE_BY_HAND = ("input", "destination", "container")
DAYS_MAX = 36_500


class NewFileBody(strict.StrictSerializer):
    """A file for the catalogue."""

    scope = strict.ScopeField()
    lfn = strict.LfnField()
    guid = strict.GuidField()
    size = strict.StrictIntegerField(min_value=0, max_value=INT64)
    adler32 = strict.Adler32Field()
    events = strict.StrictIntegerField(min_value=0, max_value=INT64, required=False)


class FilesBody(strict.StrictSerializer):
    """Files for a dataset, and the storage element that has them."""

    files = NewFileBody(many=True, allow_empty=False, max_length=FILES_MAX)
    storage = strict.StrictCharField(max_length=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A file that is named twice is a mistake."""
        refuse_twice(attrs["files"])
        return attrs


class DatasetBody(strict.StrictSerializer):
    """A new dataset; a container holds other datasets and no files."""

    name = strict.DatasetNameField(max_length=DATASET_MAX)
    type = strict.ChoiceField(
        choices=MADE_BY_HAND,
        default=Dataset.Type.INPUT.value,
        unknown_code="unknown_type",
    )
    files = NewFileBody(many=True, allow_empty=True, max_length=FILES_MAX, required=False)
    storage = strict.StrictCharField(max_length=64, required=False)
    datasets = strict.StrictListField(
        child=strict.DatasetNameField(), max_length=FILES_MAX, required=False
    )
    lifetime_days = strict.StrictIntegerField(min_value=1, max_value=DAYS_MAX, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Files for a dataset, datasets for a container."""
        refuse_twice(attrs.get("files", []))
        container = attrs["type"] == Dataset.Type.CONTAINER
        if container and attrs.get("files"):
            strict.refuse("not_for_containers", "is not for a container", field="files")
        if attrs.get("datasets") and not container:
            strict.refuse("only_for_containers", "is only for a container", field="datasets")
        return attrs


def refuse_twice(files: list[dict[str, Any]]) -> None:
    """Each file is named once."""
    names = [(one["scope"], one["lfn"]) for one in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        strict.refuse("duplicate_lfn", f"must not name {':'.join(twice)} twice", field="files")


class SubscribeBody(strict.StrictSerializer):
    """All files of a dataset at a storage element; `callback` is the name of a target."""

    dataset = strict.DatasetNameField()
    storage = strict.StrictCharField(max_length=64)
    priority = strict.StrictIntegerField(
        min_value=PRIORITIES[0], max_value=PRIORITIES[1], default=0
    )
    activity = strict.StrictCharField(max_length=32, default="user")
    vo = strict.StrictCharField(max_length=32, allow_blank=True, default="")
    callback = strict.StrictCharField(max_length=64, required=False)


class ReasonBody(strict.StrictSerializer):
    """Why."""

    reason = strict.StrictCharField(max_length=200)


class PriorityBody(ReasonBody):
    """More is sooner."""

    priority = strict.StrictIntegerField(min_value=PRIORITIES[0], max_value=PRIORITIES[1])
