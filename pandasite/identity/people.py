"""Which user of ours somebody is, whom another issuer knows; made at first sight, where allowed."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q

from pandasite.base import audit
from pandasite.base.errors import NotAllowed
from pandasite.identity.bearer import Claims
from pandasite.identity.models import Identity

SEEN_EVERY: Final = dt.timedelta(hours=1)
LONGEST: Final = 100  # characters of a user name that is made here
NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Banned(NotAllowed):
    """Known, and not let in: another try to log in would not help."""

    code = "banned"

    def __init__(self) -> None:
        super().__init__("this account is banned")


def user_of(claims: Claims, *, now: dt.datetime) -> User:
    """The user, with the roles of the token for this once. NotAllowed when unknown or banned."""
    user = known_as(claims.issuer.issuer, claims.subject, now=now)
    if user is None:
        if not claims.issuer.create_users:
            raise NotAllowed(
                f"nobody here is known as {claims.subject} of {claims.issuer.issuer}: an"
                " administrator can say who it is",
                code="unknown_identity",
            )
        user = _made(claims, now=now)
    if not user.is_active:
        raise Banned
    ours: Any = user
    ours.roles_of_token = claims.roles
    ours.token_reads_only = claims.reads_only
    return user


def known_as(issuer: str, subject: str, *, now: dt.datetime) -> User | None:
    """The user that an issuer calls so; it is noted, to the hour, that it was seen."""
    found = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    if found is None:
        return None
    if found.last_seen_at is None or now - found.last_seen_at >= SEEN_EVERY:
        old = Q(last_seen_at=None) | Q(last_seen_at__lte=now - SEEN_EVERY)
        Identity.objects.filter(old, pk=found.pk).update(last_seen_at=now)
    return found.user


def _made(claims: Claims, *, now: dt.datetime) -> User:
    """A new user without a password, unless another call was quicker."""
    try:
        with transaction.atomic():
            user = User.objects.create(username=_free_name(claims))
            user.set_unusable_password()
            user.save(update_fields=["password"])
            Identity.objects.create(
                user=user,
                issuer=claims.issuer.issuer,
                subject=claims.subject,
                created_at=now,
                last_seen_at=now,
            )
            audit.record(
                actor=user,
                action="user_made",
                subject=f"user {user.username}",
                reason="first seen with a token of a known issuer",
                now=now,
                facts={"issuer": claims.issuer.issuer, "subject": claims.subject},
            )
    except IntegrityError:
        quicker = known_as(claims.issuer.issuer, claims.subject, now=now)
        if quicker is None:
            raise
        return quicker
    return user


def _free_name(claims: Claims) -> str:
    """The name that the issuer has for the user; with a mark when somebody here is called so.

    No character stays that names of ours have for other ends, as the @ of pilots.
    """
    name = NOT_IN_A_NAME.sub("-", claims.name)[:LONGEST].strip("-.") or "user"
    if not User.objects.filter(username__iexact=name).exists():
        return name
    whole = f"{claims.issuer.issuer}\n{claims.subject}"
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"
