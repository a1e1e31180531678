"""Pilots that come with a token of another issuer: `panda.pilot:<site>` is for that site's pilots.

A good one is known again for half a minute without looking at it anew: so long it takes at most
until a ban of its subject, or of the site's account, is felt.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final

from brokerage.models import Site
from jobs import identity
from jobs.identity import Caller
from jobs.models import PilotAccount
from pandasite.base.clock import database_now
from pandasite.identity.bearer import SKEW, Claims, InsufficientScope, check
from pandasite.identity.issuers import PILOT
from pandasite.identity.people import Banned, known_as

KNOWN_FOR: Final = dt.timedelta(seconds=30)
MOST: Final = 20_000
_known: dict[bytes, tuple[Caller, dt.datetime]] = {}


def caller_of(token: bytes, *, now: dt.datetime) -> Caller:
    """The pilot with this token; InsufficientScope for the token of a person."""
    key = hashlib.sha256(token).digest()
    caller, until = _known.get(key, (None, now))
    if caller is not None and now < until:
        return caller
    claims = check(token, now=now)
    if not claims.site:
        raise InsufficientScope(f"{PILOT}<site>", "this needs the token of a pilot")
    caller = Caller.of(pilot_of(claims))
    if len(_known) >= MOST:
        _known.clear()
    _known[key] = caller, min(now + KNOWN_FOR, claims.expires_at + SKEW)
    return caller


def pilot_of(claims: Claims) -> PilotAccount:
    """The account of the site's pilots; Banned when it is, or when the subject is."""
    site = Site.objects.filter(name=claims.site).first()
    if site is None:
        raise InsufficientScope(f"{PILOT}<site>", f"there is no site {claims.site[:64]}")
    bearer = known_as(claims.issuer.issuer, claims.subject, now=database_now())
    account = identity.pilot_account(site)
    if not account.user.is_active or (bearer is not None and not bearer.is_active):
        raise Banned
    return account


def forget() -> None:
    """As a process that has just begun."""
    _known.clear()
