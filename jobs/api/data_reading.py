"""Datasets, files and subscriptions as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from datasets.models import (
    ContainerMember,
    Dataset,
    DatasetFile,
    File,
    Replica,
    Subscription,
    Transfer,
)
from jobs.api.data_answers import DATASET_STATES, LIMIT_MAX, SUBSCRIPTION_STATES, TYPES
from jobs.api.data_names import storage_of
from pandasite.base.params import Params

LIMIT = 100
HELD_MAX = 10_000  # names that an answer lists
INT64 = 2**63 - 1


def datasets(given: QueryDict) -> dict[str, Any]:
    """A page of the list."""
    known = ("name", "project", "type", "state", "before", "limit", "format")
    params = Params(given, known=known, keep_empty=True)
    rows = Dataset.objects.select_related("owner")
    if name := params.text("name"):
        rows = rows.filter(name__startswith=name)
    if project := params.text("project", longest=64):
        rows = rows.filter(project=project)
    if kind := params.choice("type", TYPES, code="unknown_type"):
        rows = rows.filter(type=kind)
    if state := params.choice("state", DATASET_STATES, code="unknown_state"):
        rows = rows.filter(state=state)
    page, before = _page(rows, params)
    return {"datasets": [dataset_summary(one) for one in page], "before": before}


def _page(rows: Any, params: Params) -> tuple[list[Any], int | None]:
    """Newest first, below `before`; and where the next page begins."""
    before = params.number("before", low=1, high=INT64)
    limit = params.number("limit", low=1, high=LIMIT_MAX) or LIMIT
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows.order_by("-pk")[: limit + 1])
    return page[:limit], page[limit - 1].pk if len(page) > limit else None


def dataset_summary(one: Dataset) -> dict[str, Any]:
    """What a list shows."""
    names = (
        "name", "type", "state", "project", "category", "n_files", "n_bytes", "n_events", "n_lost",
        "created_at", "state_changed_at", "expires_at", "aborted_at",
    )  # fmt: skip
    owner = one.owner.get_username() if one.owner else None
    return {"id": one.pk, "owner": owner} | {name: getattr(one, name) for name in names}


def dataset_json(one: Dataset) -> dict[str, Any]:
    """Everything that is known of it; its files are at an address of their own."""
    held = ContainerMember.objects.filter(container=one).order_by("dataset__name")
    within = ContainerMember.objects.filter(dataset=one).order_by("container__name")
    return dataset_summary(one) | {
        "parent": one.parent.name if one.parent else None,
        "source": one.source.name if one.source else None,
        "destination": one.destination.name if one.destination else None,
        "aborted_reason": one.aborted_reason,
        "metadata": one.metadata,
        "datasets": list(held.values_list("dataset__name", flat=True)[:HELD_MAX]),
        "containers": list(within.values_list("container__name", flat=True)[:HELD_MAX]),
    }


def files(dataset: Dataset, given: QueryDict) -> dict[str, Any]:
    """A page of its files; of a container, of all the datasets in it."""
    params = Params(given, known=("after", "limit", "format"), keep_empty=True)
    after = params.number("after", low=0, high=INT64) or 0
    limit = params.number("limit", low=1, high=LIMIT_MAX) or LIMIT
    within = Q(dataset=dataset) | Q(dataset__containers__container=dataset)
    members = DatasetFile.objects.filter(within).values("file")
    page = list(File.objects.filter(pk__in=members, pk__gt=after).order_by("pk")[: limit + 1])
    more = len(page) > limit
    shown = page[:limit]
    return {"files": files_json(shown), "after": shown[-1].pk if more else None}


def files_json(rows: Sequence[File]) -> list[dict[str, Any]]:
    """Files with the storage elements that have them."""
    there: dict[int, list[str]] = defaultdict(list)
    good = Replica.objects.filter(file__in=[f.pk for f in rows], state=Replica.State.AVAILABLE)
    for file, storage in good.order_by("storage__name").values_list("file", "storage__name"):
        there[file].append(storage)
    names = ("scope", "lfn", "guid", "size", "adler32", "events", "created_at")
    return [
        {"id": f.pk, "storages": there[f.pk]} | {name: getattr(f, name) for name in names}
        for f in rows
    ]


def file_json(file: File) -> dict[str, Any]:
    """One file with its replicas and datasets."""
    replicas = Replica.objects.filter(file=file).select_related("storage").order_by("storage__name")
    members = file.memberships.order_by("dataset__name").values_list("dataset__name", flat=True)
    return files_json([file])[0] | {
        "replicas": [
            {
                "storage": one.storage.name,
                "state": one.state,
                "reason": one.reason,
                "created_at": one.created_at,
            }
            for one in replicas
        ],
        "datasets": list(members[:HELD_MAX]),
    }


def subscriptions(given: QueryDict) -> dict[str, Any]:
    """A page of the list."""
    texts = {"dataset": "dataset__name", "storage": "storage__name"}
    texts |= {"activity": "activity", "owner": "owner"}
    known = (*texts, "state", "before", "limit", "format")
    params = Params(given, known=known, keep_empty=True)
    rows = Subscription.objects.select_related("dataset", "storage", "callback")
    for name, column in texts.items():
        if value := params.text(name):
            rows = rows.filter(**{column: value})
    if params.text("storage"):
        storage_of(params.text("storage"))  # which is refused when there is none
    if state := params.choice("state", SUBSCRIPTION_STATES, code="unknown_state"):
        rows = rows.filter(state=state)
    page, before = _page(rows, params)
    return {"subscriptions": list(map(subscription_json, page)), "before": before}


def subscription_json(one: Subscription) -> dict[str, Any]:
    """What a list shows."""
    names = (
        "state", "reason", "owner", "vo", "activity", "priority", "ddm", "created_at", "done_at",
    )  # fmt: skip
    return {
        "id": one.pk,
        "dataset": one.dataset.name,
        "storage": one.storage.name,
        "callback": one.callback.name if one.callback else None,
    } | {name: getattr(one, name) for name in names}


def subscription_detail(one: Subscription) -> dict[str, Any]:
    """One subscription and how far it is."""
    members = DatasetFile.objects.filter(dataset=one.dataset_id)
    there = Replica.objects.filter(
        file__memberships__dataset=one.dataset_id,
        storage=one.storage_id,
        state=Replica.State.AVAILABLE,
    )
    return subscription_json(one) | {
        "files": members.count(),
        "files_ready": there.count(),
        "last_error": _last_error(one),
    }


def _last_error(one: Subscription) -> str:
    errors: Iterable[str] = (
        Transfer.objects.filter(
            file__memberships__dataset=one.dataset_id, destination=one.storage_id
        )
        .exclude(error="")
        .order_by("-pk")
        .values_list("error", flat=True)[:1]
    )
    return next(iter(errors), "")
