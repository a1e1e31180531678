"""What a user may: the rights of his groups, and those that count at his own sites only.

The groups are made by jobs/groups.py. What the group of site admins has beyond looking counts for
a thing at a site that OwnSite names for the user, and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from brokerage.models import Site
from pandasite.base import rate
from pandasite.base.rights import SOMEWHERE
from pandasite.identity.models import OwnSite
from pandasite.identity.roles import SITE_ADMINS, roles_of_token

LOOKING = "view_"


@dataclass(frozen=True)
class Own:
    """The keys of a user's own sites, and what may be done there."""

    sites: frozenset[int]
    rights: frozenset[str]


class RightsBackend(ModelBackend):
    """Django's own, with rights at sites and roles that come with a token of others."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """The user of a password; TooOften after too many wrong ones from one address."""
        if username is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        address = request.META.get("REMOTE_ADDR", "") if request else ""
        who, most = f"{address} {username.casefold()}", settings.PANDASITE["BAD_LOGINS"]
        rate.spent("bad_login", who, most=most)
        user = super().authenticate(request, username, password, **kwargs)
        if user is None:
            rate.count("bad_login", who, most=most)
        return user

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Whether it may be done to `obj`; without it, to anything."""
        if super().has_perm(user_obj, perm):
            return True
        if obj is None or not user_obj.is_active or user_obj.is_anonymous:
            return False
        own = own_sites(user_obj)
        if perm not in own.rights:
            return False
        return bool(own.sites) if obj is SOMEWHERE else _site_of(obj) in own.sites

    def _get_group_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        groups = _groups(user_obj)
        at_own_sites = groups.filter(name=SITE_ADMINS)
        return Permission.objects.filter(
            Q(group__in=groups.exclude(name=SITE_ADMINS))
            | Q(group__in=at_own_sites, codename__startswith=LOOKING)
        )


def sites_for(user: Any, permission: str) -> QuerySet[Site]:
    """Those for which the user has the right."""
    if user.has_perm(permission):
        return Site.objects.all()
    own = own_sites(user)
    return Site.objects.filter(pk__in=own.sites if permission in own.rights else ())


def own_sites(user: Any) -> Own:
    """Asked of the database once for each user object, as Django does with the other rights."""
    known: Own | None = getattr(user, "_own_sites", None)
    if known is None:
        rights = Permission.objects.filter(group__in=_groups(user).filter(name=SITE_ADMINS))
        names = rights.values_list("content_type__app_label", "codename")
        known = user._own_sites = Own(
            sites=frozenset(OwnSite.objects.filter(user=user).values_list("site", flat=True)),
            rights=frozenset(f"{app}.{codename}" for app, codename in names),
        )
    return known


def _groups(user: Any) -> QuerySet[Group]:
    return Group.objects.filter(Q(user=user) | Q(name__in=roles_of_token(user)))


def _site_of(thing: Any) -> int | None:
    """The key of the site that a thing is, or is at."""
    if isinstance(thing, Site):
        return int(thing.pk)
    at = getattr(thing, "site_id", None) or getattr(thing, "computing_site_id", None)
    return at if isinstance(at, int) else None
