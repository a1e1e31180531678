"""Admin pages: which DN or subject is which user, and which sites are whose."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from pandasite.base.admin_kit import OurAdmin
from pandasite.base.clock import database_now
from pandasite.identity.forms import IdentityForm
from pandasite.identity.models import Identity, OwnSite


@admin.register(Identity)
class IdentityAdmin(OurAdmin):
    form = IdentityForm
    list_display = ["subject", "issuer", "user", "created_at", "last_seen_at"]
    list_select_related = ["user"]
    search_fields = ["subject", "issuer", "user__username"]
    autocomplete_fields = ["user"]
    fields = ["user", "issuer", "subject", "created_at", "last_seen_at"]
    readonly_fields = ["created_at", "last_seen_at"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = database_now()
        super().save_model(request, obj, form, change)


@admin.register(OwnSite)
class OwnSiteAdmin(OurAdmin):
    list_display = ["user", "site"]
    list_select_related = ["user", "site"]
    list_filter = ["site"]
    search_fields = ["user__username", "site__name"]
    autocomplete_fields = ["user", "site"]
