"""What the addresses of data answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers as s

from datasets.models import Dataset, Subscription
from datasets.states import DatasetState

TYPES = tuple(kind.value for kind in Dataset.Type)
DATASET_STATES = tuple(state.value for state in DatasetState)
SUBSCRIPTION_STATES = tuple(state.value for state in Subscription.State)
LIMIT_MAX = 1000


class DatasetSummary(s.Serializer[Any]):
    """A dataset; its sums are as of the last round of the sweep that counts them."""

    id = s.IntegerField()
    name = s.CharField()
    type = s.ChoiceField(choices=TYPES)
    state = s.ChoiceField(choices=DATASET_STATES)
    project = s.CharField(allow_blank=True)
    category = s.CharField(allow_blank=True)
    owner = s.CharField(allow_null=True)
    n_files = s.IntegerField()
    n_bytes = s.IntegerField()
    n_events = s.IntegerField()
    n_lost = s.IntegerField()
    created_at = s.DateTimeField()
    state_changed_at = s.DateTimeField()
    expires_at = s.DateTimeField(allow_null=True)
    aborted_at = s.DateTimeField(allow_null=True)


class DatasetsAnswer(s.Serializer[Any]):
    """A page of datasets, newest first; `before` continues it."""

    datasets = DatasetSummary(many=True)
    before = s.IntegerField(allow_null=True)


class DatasetAnswer(DatasetSummary):
    """One dataset. `datasets` are what a container holds, `containers` where it is in."""

    parent = s.CharField(allow_null=True)  # type: ignore[assignment]
    source = s.CharField(allow_null=True)  # type: ignore[assignment]
    destination = s.CharField(allow_null=True)
    aborted_reason = s.CharField(allow_blank=True)
    metadata = s.JSONField()
    datasets = s.ListField(child=s.CharField())
    containers = s.ListField(child=s.CharField())


class FileAnswer(s.Serializer[Any]):
    """A file of the catalogue, and the storage elements that have it in a good replica."""

    id = s.IntegerField()
    scope = s.CharField()
    lfn = s.CharField()
    guid = s.CharField()
    size = s.IntegerField()
    adler32 = s.CharField()
    events = s.IntegerField(allow_null=True)
    created_at = s.DateTimeField()
    storages = s.ListField(child=s.CharField())


class FilesAnswer(s.Serializer[Any]):
    """A page of files in the order in which they became known; `after` continues it."""

    files = FileAnswer(many=True)
    after = s.IntegerField(allow_null=True)


class ReplicaAnswer(s.Serializer[Any]):
    """A copy; a bad one is kept as evidence, with the reason."""

    storage = s.CharField()
    state = s.CharField()
    reason = s.CharField(allow_blank=True)
    created_at = s.DateTimeField()


class FileDetail(FileAnswer):
    """One file with all its replicas and datasets."""

    replicas = ReplicaAnswer(many=True)
    datasets = s.ListField(child=s.CharField())


class UploadAnswer(FileDetail):
    """`replayed`: the same content was there already."""

    replayed = s.BooleanField()


class SubscriptionAnswer(s.Serializer[Any]):
    """A subscription, with how many of its files are there."""

    id = s.IntegerField()
    dataset = s.CharField()
    storage = s.CharField()
    state = s.ChoiceField(choices=SUBSCRIPTION_STATES)
    reason = s.CharField(allow_blank=True)
    owner = s.CharField(allow_blank=True)
    vo = s.CharField(allow_blank=True)
    activity = s.CharField()
    priority = s.IntegerField()
    ddm = s.CharField(allow_blank=True)
    callback = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    done_at = s.DateTimeField(allow_null=True)


class SubscriptionDetail(SubscriptionAnswer):
    """One subscription: `files` in all, `files_ready` at the storage element, and the trouble."""

    files = s.IntegerField()
    files_ready = s.IntegerField()
    last_error = s.CharField(allow_blank=True)


class SubscriptionsAnswer(s.Serializer[Any]):
    """A page of subscriptions, newest first; `before` continues it."""

    subscriptions = SubscriptionAnswer(many=True)
    before = s.IntegerField(allow_null=True)


def _text(name: str, description: str = "", **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description, **more)


def _number(name: str, *, low: int = 1, high: int | None = None) -> OpenApiParameter:
    kind: dict[str, Any] = {"type": "integer", "minimum": low}
    return OpenApiParameter(name, kind | ({"maximum": high} if high else {}))


LIMIT = _number("limit", high=LIMIT_MAX)
DATASET_FILTERS = (
    _text("name", "how it begins"),
    _text("project"),
    _text("type", enum=TYPES),
    _text("state", enum=DATASET_STATES),
    _number("before"),
    LIMIT,
)
FILE_FILTERS = (_number("after", low=0), LIMIT)
SUBSCRIPTION_FILTERS = (
    _text("dataset"),
    _text("storage"),
    _text("state", enum=SUBSCRIPTION_STATES),
    _text("activity"),
    _text("owner"),
    _number("before"),
    LIMIT,
)
UPLOAD_PARAMETERS = (
    _text("adler32", "of the content, eight hexadecimal digits", required=True),
    _text("dataset", "that it becomes a file of"),
    _text("guid", "else one is made"),
)
