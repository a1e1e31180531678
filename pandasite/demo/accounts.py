"""The demo's users: a production manager and one pilot account per site, with fresh tokens.

Tokens are stored hashed, so those of an earlier run cannot be read again: each run makes new
ones and takes the old ones back.
"""

import datetime as dt
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.db import transaction
from knox.models import AuthToken

from brokerage.models import Site
from jobs.models import PilotAccount
from pandasite.demo.grid import DemoFolder, Place

MANAGER = "demo-manager"
PERMISSIONS = ("submit_production", "kill_any_job")
LIFETIME = dt.timedelta(days=7)


@transaction.atomic
def manager_token() -> str:
    """A token of the user who submits the demo's productions."""
    manager = account(MANAGER)
    allowed = Permission.objects.filter(content_type__app_label="jobs", codename__in=PERMISSIONS)
    manager.user_permissions.set(allowed)
    return fresh_token(manager)


@transaction.atomic
def pilot_token(place: Place) -> str:
    """A token that may claim and report at this site, and nothing else."""
    pilot = account(f"pilot-{place.name}")
    site = Site.objects.get(name=place.name)
    PilotAccount.objects.get_or_create(user=pilot, defaults={"site": site})
    return fresh_token(pilot)


def account(name: str) -> User:
    """The account, without a password: it can only be used with a token."""
    user, made = get_user_model().objects.get_or_create(username=name)
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def fresh_token(user: User) -> str:
    """A new token; older ones of this account end."""
    AuthToken.objects.filter(user_id=user.pk).delete()
    _row, token = AuthToken.objects.create(user=user, expiry=LIFETIME)
    return str(token)


def write_token(folder: DemoFolder, place: Place, token: str) -> Path:
    """Put a pilot's token where only this user reads it; not on a command line."""
    path = folder.site(place) / "token"
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(token, encoding="ascii")
    return path
