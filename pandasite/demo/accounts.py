"""The demo's users: a production manager and one pilot account per site, with fresh tokens.

Tokens are stored hashed, so those of an earlier run cannot be read again: each run makes new
ones and takes the old ones back.
"""

from pathlib import Path

from django.contrib.auth.models import Permission, User
from django.db import transaction
from knox.models import get_token_model

from brokerage.models import Site
from jobs import identity
from pandasite.demo.grid import DemoFolder, Place

MANAGER = "demo-manager"
PERMISSIONS = ("submit_production", "kill_any_job")
LIFETIME_DAYS = 7


@transaction.atomic
def manager_token() -> str:
    """A token of the user who submits the demo's productions."""
    manager = identity.person(MANAGER)
    allowed = Permission.objects.filter(content_type__app_label="jobs", codename__in=PERMISSIONS)
    manager.user_permissions.set(allowed)
    return fresh_token(manager)


@transaction.atomic
def pilot_token(place: Place) -> str:
    """A token that may claim and report at this site, and nothing else."""
    return fresh_token(identity.pilot_account(Site.objects.get(name=place.name)).user)


def fresh_token(user: User) -> str:
    """A new token; older ones of this account end."""
    get_token_model().objects.filter(user=user).delete()
    return identity.new_token(user, days=LIFETIME_DAYS)


def write_token(folder: DemoFolder, place: Place, token: str) -> Path:
    """Put a pilot's token where only this user reads it; not on a command line."""
    path = folder.site(place) / "token"
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(token, encoding="ascii")
    return path
