"""Who calls on PanDA's wire: by `Authorization: Bearer <token>`, or by a grid certificate.

No other header says anything about the caller: not `Origin`, and none of the many by which a web
server could hand on the name of a certificate, but those of pandasite/identity/x509/front.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied

from jobs.api.auth import KNOWN, PilotAuthentication, TokenAuthentication, pilot_account
from jobs.identity import Caller, TokenGone
from pandasite.base import rate

T = TypeVar("T")
SCHEMES = (b"bearer", b"token")
TOKEN_MAX = 4096  # bytes; a JWT of another issuer is refused as any wrong token is
NO_PILOT = "this needs the token or the certificate of a pilot"


def for_pilot(request: HttpRequest, work: Callable[[Caller], T]) -> T:
    """What `work` makes for the pilot that calls; AuthenticationFailed, PermissionDenied, TooOften.

    A token that does not hold any more is looked up anew, once.
    """
    try:
        return work(pilot(request))
    except TokenGone:
        KNOWN.clear()
        return work(pilot(request))


def known(request: HttpRequest) -> Caller | Any:
    """The Caller of a pilot, else the user, by a token that holds. Raises as `for_pilot` does."""
    user, row = _authenticate(request, TokenAuthentication())
    account = pilot_account(user)
    return Caller.of(account, token=row and row.digest) if account else user


def pilot(request: HttpRequest) -> Caller:
    """The pilot that calls, as far as is known of its token without asking the database."""
    _user, caller = _authenticate(request, PilotAuthentication())
    if caller is None:
        raise PermissionDenied(NO_PILOT)
    return caller


def _authenticate(request: HttpRequest, how: TokenAuthentication) -> tuple[Any, Any]:
    words = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace").split()
    if not words:
        return _by_certificate(request, how)
    try:
        if len(words) != 2 or words[0].lower() not in SCHEMES or not _may_be(words[1]):
            raise AuthenticationFailed("Invalid token.")
        found: tuple[Any, Any] = how.authenticate_credentials(words[1])
    except AuthenticationFailed:
        # Whoever has a good token is let in, however many wrong ones come from the same address.
        address = str(request.META.get("REMOTE_ADDR", ""))
        rate.count("bad_token", address, most=settings.PANDASITE["BAD_TOKENS"])
        raise
    return found


def _by_certificate(request: HttpRequest, how: TokenAuthentication) -> tuple[Any, Any]:
    found: tuple[Any, Any] | None = how.by_certificate(request)
    if found is None:
        raise NotAuthenticated(
            "send the token of a pilot as Authorization: Bearer <token>, or show a certificate"
        )
    return found


def _may_be(token: bytes) -> bool:
    return len(token) <= TOKEN_MAX and token.isascii() and token.decode().isprintable()
