"""Accounts and tokens: hashed and expiring (knox); a pilot's is bound to a site."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from knox.crypto import hash_token
from knox.models import get_token_model

from brokerage.models import Site
from jobs.models import PilotAccount
from pandasite.base import audit
from pandasite.base.errors import BadInput, Conflict, DomainError, NotThere
from pandasite.identity.models import TokenNote


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A pilot account as the hot path knows it; `token` is the digest that it was known by.

    None: nobody has to ask whether it is still good.
    """

    account_id: int
    site_id: int
    site: str
    token: str | None = None

    @classmethod
    def of(cls, account: PilotAccount, *, token: str | None = None) -> Caller:
        return cls(
            account_id=account.pk, site_id=account.site_id, site=account.site.name, token=token
        )


class TokenGone(DomainError):
    """The token by which a caller was known is not good any more: it must be looked up anew."""

    code = "token_gone"

    def __init__(self) -> None:
        super().__init__("this token is not valid any more")


def must_hold(caller: Caller, *, now: dt.datetime) -> None:
    """TokenGone when the caller's token was taken back, has expired or is of another site now."""
    if caller.token is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT jobs_token_holds(%s, %s, %s, %s)",
            [caller.token, caller.account_id, caller.site_id, now],
        )
        if not cursor.fetchone()[0]:
            raise TokenGone


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


def _part(facts: dict[str, object]) -> str:
    text = json.dumps(facts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


# By which a token for PanDA's client is known. A token of an issuer has a signature, and `alg`.
CLIENT_HEADER = _part({"alg": "none", "typ": "pandasite"})


def client_token(user: User, *, days: float) -> str:
    """A new token of a user in the form that PanDA's client wants."""
    return client_form(user, new_token(user, days=days))


def client_form(user: User, token: str) -> str:
    """A token of a user in the form that PanDA's client wants: `header.claims.token`.

    The client reads the claims, for the name that it shows and that names of datasets begin with.
    Here nobody reads them, and nobody may: the last part is the token, as any other.
    """
    name = user.get_username()
    claims = {"name": user.get_full_name() or name, "preferred_username": name}
    return f"{CLIENT_HEADER}.{_part({**claims})}.{token}"


def without_claims(token: bytes) -> bytes:
    """What is to be checked of a token: of one for PanDA's client, its last part."""
    if not token.startswith(f"{CLIENT_HEADER}.".encode()):
        return token
    return token.rpartition(b".")[2]


def new_named_token(
    *, by: User, name: str, scope: str, days: float, now: dt.datetime, site: Site | None = None
) -> str:
    """A token that somebody makes on the pages: of the user, or with a `site` of its pilots."""
    user = pilot_account(site).user if site else by
    with transaction.atomic():
        token = new_token(user, days=days)
        row = get_token_model().objects.get(digest=hash_token(token))
        TokenNote.objects.create(token=row, name=name, scope=scope, made_by=by)
        audit.record(
            actor=by,
            action="token_made",
            subject=f"{row.token_key}… of {user}",
            reason=name,
            now=now,
            facts={"scope": scope, "days": days},
        )
    return token


def tokens_of(user: User) -> QuerySet[Any]:
    """The tokens that a user has, or has made for pilots; newest first."""
    mine = Q(user=user) | Q(note__made_by=user)
    rows = get_token_model().objects.filter(mine).select_related("note", "user")
    return rows.order_by("-created")


def revoke_own(*, by: User, key: str, now: dt.datetime) -> str:
    """End a token by its first letters; says which it was. NotThere when it is not one's own."""
    row = tokens_of(by).filter(token_key=key).first()
    if row is None:
        raise NotThere(f"you have no token {key[:16]}… (any more)")
    named = f"{row.token_key}… of {row.user}"
    with transaction.atomic():
        row.delete()
        audit.record(
            actor=by, action="token_revoked", subject=named, reason="by who made it", now=now
        )
    return named


def new_pilot_token(site: Site, *, days: float = PILOT_TOKEN_DAYS) -> str:
    """A token with which pilots may claim and report at this site, and nothing else."""
    return new_token(pilot_account(site).user, days=days)
