"""Subscriptions, who is told of them, PandaMover's rules, and what checks of storage have found."""

from __future__ import annotations

from django import forms
from django.contrib import admin

from datasets import findings, subscriptions
from datasets.models import (
    CallbackNews,
    CallbackTarget,
    ContainerMember,
    MoverRule,
    StorageCheck,
    StorageFinding,
    Subscription,
)
from pandasite.base.admin_kit import BigTableAdmin, OurAdmin, ReadOnlyAdmin
from pandasite.base.deeds import Deed, Order, ReasonForm
from pandasite.base.errors import Conflict


class PriorityForm(ReasonForm):
    """A new priority."""

    field_order = ["priority", "reason"]
    priority = forms.IntegerField(
        min_value=subscriptions.PRIORITIES[0], max_value=subscriptions.PRIORITIES[1]
    )


def _cancel(subscription: Subscription, order: Order) -> str:
    subscriptions.cancel(subscription, actor=order.user, reason=order.reason, now=order.now)
    return "cancelled"


def _prioritise(subscription: Subscription, order: Order) -> str:
    to = order.values["priority"]
    subscriptions.set_priority(
        subscription, to, actor=order.user, reason=order.reason, now=order.now
    )
    return f"priority {subscription.priority} -> {to}"


@admin.register(Subscription)
class SubscriptionAdmin(BigTableAdmin):
    list_display = [
        "dataset", "storage", "activity", "state", "owner", "priority", "reason", "created_at",
        "done_at",
    ]  # fmt: skip
    list_filter = ["state", "storage"]
    list_select_related = ["dataset", "storage"]
    search_fields = ["dataset__name__startswith"]
    search_help_text = "By the beginning of the dataset's name."
    deeds = [
        Deed(
            name="cancel",
            label="Cancel…",
            permission="datasets.change_subscription",
            apply=_cancel,
            explain="Transfers that wait for nobody else end. A job that needs a file asks again.",
        ),
        Deed(
            name="priority",
            label="Change the priority…",
            permission="datasets.change_subscription",
            apply=_prioritise,
            explain="Queued transfers get it as well; higher ones go first in their activity.",
            form=PriorityForm,
        ),
    ]


@admin.register(CallbackTarget)
class CallbackTargetAdmin(OurAdmin):
    """Who is told. Addresses come from here and from nowhere else."""

    list_display = ["name", "url", "secret", "private", "enabled"]
    search_fields = ["name", "url"]


@admin.register(CallbackNews)
class CallbackNewsAdmin(BigTableAdmin):
    list_display = [
        "news_id",
        "target",
        "created_at",
        "tries",
        "next_try_at",
        "error",
        "delivered_at",
    ]
    list_filter = ["target"]
    list_select_related = ["target"]


@admin.register(MoverRule)
class MoverRuleAdmin(OurAdmin):
    """Which channels are PandaMover's."""

    list_display = ["__str__", "source", "destination", "cloud", "enabled"]
    list_select_related = ["source", "destination", "cloud"]
    list_filter = ["enabled"]


@admin.register(ContainerMember)
class ContainerMemberAdmin(BigTableAdmin):
    list_display = ["container", "dataset"]
    list_select_related = ["container", "dataset"]
    search_fields = ["container__name__startswith"]
    search_help_text = "By the beginning of the container's name."


@admin.register(StorageCheck)
class StorageCheckAdmin(ReadOnlyAdmin):
    list_display = [
        "storage", "started_at", "looked_at", "replicas_seen", "stored_seen", "ended_at", "error",
    ]  # fmt: skip
    list_select_related = ["storage"]


def _dismiss(finding: StorageFinding, order: Order) -> str:
    one = StorageFinding.objects.filter(pk=finding.pk)
    if not findings.resolve(one, f"{order.name}: {order.reason}", now=order.now):
        raise Conflict(f"it was resolved before: {finding.resolution}")
    return "resolved; the next check will tell if it is not"


@admin.register(StorageFinding)
class StorageFindingAdmin(BigTableAdmin):
    """To act on all findings of a storage element: manage.py check_storage."""

    list_display = [
        "path", "storage", "kind", "sightings", "size", "first_seen_at", "last_seen_at",
        "resolved_at", "resolution",
    ]  # fmt: skip
    list_filter = ["kind", "storage", ("resolved_at", admin.EmptyFieldListFilter)]
    list_select_related = ["storage"]
    deeds = [
        Deed(
            name="dismiss",
            label="Mark as resolved…",
            permission="datasets.change_storagefinding",
            apply=_dismiss,
            explain="Nothing is changed or removed: that is for manage.py check_storage.",
            audit="finding_resolved",
        )
    ]
