"""Datasets, files and replicas. Services write them; here they are looked at and judged."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from datasets import life
from datasets.models import Dataset, DatasetCategory, File, Replica
from datasets.services import abort_datasets, mark_bad, set_dataset_state
from datasets.states import DATASET_MOVES, DatasetState
from pandasite.base.admin_kit import BigTableAdmin, OurAdmin, ReadOnlyInline, recent
from pandasite.base.deeds import Deed, Order, ReasonForm
from pandasite.base.errors import Conflict


class DatasetStateForm(ReasonForm):
    """A state to go to. Only the moves of the table are done, whatever is chosen."""

    field_order = ["state", "reason"]
    state = forms.ChoiceField(
        # `completed` says where all replicas are: the closing sweep knows that, nobody else.
        choices=[(s, s) for s in DatasetState if s != DatasetState.COMPLETED]
    )


def _move_dataset(dataset: Dataset, order: Order) -> str:
    to = DatasetState(order.values["state"])
    set_dataset_state(dataset, to, now=order.now)
    return f"{dataset.state} -> {to}"


def _abort(dataset: Dataset, order: Order) -> str:
    if not abort_datasets([dataset.pk], reason=f"{order.name}: {order.reason}", now=order.now):
        raise Conflict(f"it was aborted already: {dataset.aborted_reason}")
    return "aborted"


class LifetimeForm(ReasonForm):
    """Days from now; none: it is kept."""

    field_order = ["days", "reason"]
    days = forms.IntegerField(
        min_value=0, max_value=36_500, required=False, help_text="from now; empty: for ever"
    )


def _set_lifetime(dataset: Dataset, order: Order) -> str:
    days = order.values["days"]
    until = None if days is None else order.now + dt.timedelta(days=days)
    life.set_lifetime(dataset, until, actor=order.user, reason=order.reason, now=order.now)
    return f"may be erased from {until:%Y-%m-%d %H:%M} on" if until else "kept for ever"


def _legal_moves() -> str:
    moves = (f"{a} to {' or '.join(sorted(b))}" for a, b in DATASET_MOVES.items() if b)
    return f"Legal moves: {'; '.join(moves)}. Files stay where they are."


@admin.register(Dataset)
class DatasetAdmin(BigTableAdmin):
    list_display = ["name", "type", "state", "destination", "created_at", "state_changed_at"]
    list_filter = ["type", "state"]
    list_select_related = ["destination"]
    search_fields = ["name__startswith"]
    search_help_text = "By the beginning of the name."
    fields = [
        "name",
        "type",
        "state",
        "state_changed_at",
        "parent",
        "source",
        "destination",
        "created_at",
        "members",
        "owner",
        "scope",
        "category",
        "data_type",
        "metadata",
        "expires_at",
        "aborted_at",
        "aborted_reason",
        "n_lost",
        "summed_at",
    ]
    readonly_fields = ["members"]
    deeds = [
        Deed(
            name="move_dataset",
            label="Change the state…",
            permission="datasets.change_dataset",
            apply=_move_dataset,
            explain=_legal_moves(),
            audit="dataset_state",
            form=DatasetStateForm,
        ),
        Deed(
            name="abort_dataset",
            label="Abort…",
            permission="datasets.change_dataset",
            apply=_abort,
            explain="Listed as aborted; its subscriptions end. Files stay where they are.",
            audit="dataset_abort",
        ),
        Deed(
            name="set_lifetime",
            label="Set the lifetime…",
            permission="datasets.change_dataset",
            apply=_set_lifetime,
            explain="When it is over, the dataset is erased, and with it the replicas that no other"
            " dataset and no job needs.",
            form=LifetimeForm,
        ),
    ]

    @admin.display(description="files")
    def members(self, dataset: Dataset) -> str:
        where = reverse("admin:datasets_file_changelist")
        link = f"{where}?datasets__id__exact={dataset.pk}"
        return format_html('<a href="{}">{} files</a>', link, dataset.members.count())


@admin.register(DatasetCategory)
class DatasetCategoryAdmin(OurAdmin):
    list_display = ["name", "description", "patterns", "position"]


class ReplicaInline(ReadOnlyInline):
    model = Replica
    fields = ["storage", "state", "reason", "created_at"]


@admin.register(File)
class FileAdmin(BigTableAdmin):
    list_display = ["lfn", "scope", "size", "adler32", "events", "guid", "created_at"]
    list_filter = [recent("scope", "scope")]
    search_fields = ["lfn__startswith", "guid__exact"]
    search_help_text = "By the beginning of the LFN, or by GUID."
    inlines = [ReplicaInline]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Also the files of one dataset, as its page links to them."""
        return lookup == "datasets__id__exact" or super().lookup_allowed(lookup, value, request)


def _condemn(replica: Replica, order: Order) -> str:
    if replica.state == Replica.State.BAD:
        raise Conflict(f"it is marked bad already: {replica.reason}")
    mark_bad(replica.file, replica.storage, f"{order.name}: {order.reason}")
    return "bad, never read again"


@admin.register(Replica)
class ReplicaAdmin(BigTableAdmin):
    list_display = ["file", "storage", "state", "reason", "created_at"]
    list_filter = ["state", "storage"]
    list_select_related = ["file", "storage"]
    search_fields = ["file__lfn__startswith"]
    search_help_text = "By the beginning of the LFN."
    deeds = [
        Deed(
            name="mark_bad",
            label="Mark as bad…",
            permission="datasets.change_replica",
            apply=_condemn,
            explain="A bad replica is never read again; the file stays as evidence.",
            audit="replica_bad",
        )
    ]
