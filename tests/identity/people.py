"""Users with a role, and sites that are their own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from brokerage.models import Site
from jobs import identity
from pandasite.identity.models import OwnSite
from tests import builders as make
from tests.admin.pages import staff


def with_role(role: str, name: str = "sam", *, own: tuple[Site, ...] = ()) -> Any:
    """A user of a group; `own` are a site admin's sites."""
    user = make.create_user(name)
    user.groups.add(Group.objects.get(name=role))
    for site in own:
        OwnSite.objects.create(user=user, site=site)
    return user


def staff_with_role(role: str, name: str = "sam", *, own: tuple[Site, ...] = ()) -> Any:
    """The same, who may enter the admin."""
    user = staff(name, group=role)
    for site in own:
        OwnSite.objects.create(user=user, site=site)
    return user


def browser_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def header_of(user: Any) -> dict[str, str]:
    """With which a program calls for the user."""
    return {"Authorization": f"Token {identity.new_token(user, days=1)}"}
