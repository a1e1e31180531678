"""Tokens, to be looked at and revoked, and the stock pages of users."""

from __future__ import annotations

from typing import Any

import knox.admin  # noqa: F401  (registers its page first, so that ours can take its place)
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from knox.models import AuthToken

from pandasite.base.admin_kit import OurAdmin, ReadOnlyAdmin
from pandasite.base.deeds import Deed, Order
from pandasite.base.errors import NotThere

User = get_user_model()


def _revoke(token: Any, order: Order) -> str:
    gone, _by_model = AuthToken.objects.filter(pk=token.pk).delete()
    if not gone:
        raise NotThere("it has been revoked already")
    return "revoked"


def _described(token: Any) -> str:
    return f"{token.token_key}… of {token.user}"


# Knox's own words begin with the whole hash, which is long and tells nobody anything.
AuthToken.__str__ = _described
admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class AuthTokenAdmin(ReadOnlyAdmin):
    """Tokens by their first letters; the rest was shown once and is kept as a hash only."""

    list_display = ["token_key", "user", "created", "expiry"]
    list_filter = ["expiry"]
    list_select_related = ["user"]
    search_fields = ["token_key__startswith", "user__username"]
    ordering = ["-created"]
    fields = ["token_key", "user", "created", "expiry"]
    readonly_fields = ["created"]
    deeds = [
        Deed(
            name="revoke",
            label="Revoke…",
            permission="knox.delete_authtoken",
            apply=_revoke,
            explain="Whoever uses these tokens is refused from the next request on.",
            audit="token_revoked",
            subject=_described,
        )
    ]


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(OurAdmin, UserAdmin):
    """Django's own pages; a user who has jobs is not deleted, but set inactive."""
