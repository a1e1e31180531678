"""Banned worker nodes: added with a reason, lifted with a reason, never changed or deleted."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from brokerage.bans import ban_node, lift_ban
from brokerage.models import BannedNode
from pandasite.base.admin_kit import OurAdmin
from pandasite.base.clock import database_now
from pandasite.base.deeds import Deed, Order


def _lift(ban: BannedNode, order: Order) -> str:
    lift_ban(ban, user=order.user, reason=order.reason, now=order.now)
    return "gets jobs again"


class BanForm(forms.ModelForm):
    """A ban that is over when it begins is none."""

    def clean_until(self) -> dt.datetime | None:
        until: dt.datetime | None = self.cleaned_data["until"]
        if until is not None and until <= (now := database_now()):
            raise forms.ValidationError(f"must be after {now:%Y-%m-%d %H:%M:%S} UTC")
        return until


@admin.register(BannedNode)
class BannedNodeAdmin(OurAdmin):
    form = BanForm
    list_display = ["node", "site", "reason", "author", "at", "until"]
    list_filter = ["site"]
    list_select_related = ["site", "author"]
    search_fields = ["node", "site__name", "reason"]
    fields = ["site", "node", "reason", "until", "author", "at"]
    readonly_fields = ["author", "at"]
    autocomplete_fields = ["site"]
    deeds = [
        Deed(
            name="lift_ban",
            label="Lift the ban…",
            permission="brokerage.delete_bannednode",
            apply=_lift,
            explain="These nodes get jobs again.",
        )
    ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = ban_node(
            obj.site,
            obj.node,
            user=request.user,
            reason=obj.reason,
            now=database_now(),
            until=obj.until,
        )
        obj.pk = made.pk
