"""The roles of people. What each may do stands in jobs/groups.py and docs/identity.md."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q

READERS = "readers"
SHIFTERS = "shifters"
OPERATORS = "operators"
PRODUCTION_MANAGERS = "production managers"
SITE_ADMINS = "site admins"
ADMINS = "admins"
# Whose look at the admin is part of the role, where an issuer gives it.
INTO_THE_ADMIN = frozenset({SHIFTERS, OPERATORS, SITE_ADMINS, ADMINS})
ROLES = (READERS, SHIFTERS, OPERATORS, PRODUCTION_MANAGERS, SITE_ADMINS, ADMINS)


def roles_of_token(user: Any) -> Collection[str]:
    """The roles that a token of another issuer gives its user, for the request that brings it."""
    roles: Collection[str] = getattr(user, "roles_of_token", ())
    return roles


def groups_of(user: Any) -> list[str]:
    """The names of a user's groups, those of the token that brings him included."""
    return sorted({*user.groups.values_list("name", flat=True), *roles_of_token(user)})


def reads_only(user: Any) -> bool:
    """Whether the user may change nothing: by the token, or as a reader without another role."""
    if getattr(user, "token_reads_only", False):
        return True
    if user.is_superuser:
        return False
    mine = Group.objects.filter(Q(user=user) | Q(name__in=roles_of_token(user)), name__in=ROLES)
    return set(mine.values_list("name", flat=True)) == {READERS}
