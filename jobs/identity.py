"""Accounts and tokens: hashed and expiring (knox); a pilot's is bound to a site."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User
from django.db import transaction
from knox.models import get_token_model

from brokerage.models import Site
from jobs.models import PilotAccount
from pandasite.base.errors import BadInput, Conflict

PILOT_TOKEN_DAYS = 4  # as long as the pilot tokens of 2009
USER_TOKEN_DAYS = 30


def person(name: str) -> User:
    """The account of this name, made without a password when there is none: tokens only."""
    user, made = User.objects.get_or_create(username=name)
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def pilot_account(site: Site) -> PilotAccount:
    """The account of a site's pilots, made when there is none: no password, no admin, one site.

    Found by its site, since a site may be renamed and its account keeps its name. Conflict when
    the name for a new one is that of another site's account.
    """
    account = PilotAccount.objects.filter(site=site).order_by("pk").first()
    if account is not None:
        return account
    name = f"pilot@{site.name}"
    with transaction.atomic():
        user = person(name)
        account, _made = PilotAccount.objects.get_or_create(user=user, defaults={"site": site})
        if account.site_id != site.pk:
            raise Conflict(
                f"the account {name} belongs to the pilots of {account.site.name}: rename that user"
                f" before pilots of {site.name} are given a token",
                code="account_taken",
            )
    return account


def new_token(user: User, *, days: float) -> str:
    """A new token of a user, shown this once; only its hash is kept. 1 minute to 366 days."""
    if not 1 / 1440 <= days <= 366:
        raise BadInput(f"a token may live from 1 minute to 366 days, not {days} days")
    _row, token = get_token_model().objects.create(user=user, expiry=dt.timedelta(days=days))
    return str(token)


def new_pilot_token(site: Site, *, days: float = PILOT_TOKEN_DAYS) -> str:
    """A token with which pilots may claim and report at this site, and nothing else."""
    return new_token(pilot_account(site).user, days=days)
