"""Banned worker nodes: added with a reason, lifted with a reason, never changed or deleted."""

from __future__ import annotations

from typing import Any

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


@admin.register(BannedNode)
class BannedNodeAdmin(OurAdmin):
    list_display = ["node", "site", "reason", "author", "at"]
    list_filter = ["site"]
    list_select_related = ["site", "author"]
    search_fields = ["node", "site__name", "reason"]
    fields = ["site", "node", "reason", "author", "at"]
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
            obj.site, obj.node, user=request.user, reason=obj.reason, now=database_now()
        )
        obj.pk = made.pk
