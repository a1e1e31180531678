"""Who calls on PanDA's wire: by `Authorization: Bearer <token>`, or by a grid certificate.

No other header says anything about the caller: not `Origin`, and none of the many by which a web
server could hand on the name of a certificate, but those of pandasite/identity/x509/front.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied

from jobs.api.auth import (
    KNOWN,
    SCHEMES,
    PilotAuthentication,
    TokenAuthentication,
    authenticated,
    pilot_account,
)
from jobs.identity import Caller, TokenGone

T = TypeVar("T")
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
    # A certificate, or a token of another issuer, is no row: it was checked by itself.
    return Caller.of(account, token=getattr(row, "digest", None)) if account else user


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
    if words[0].lower() not in SCHEMES:
        words = []  # another scheme is a bad token here
    try:
        found: tuple[Any, Any] = authenticated(request, words, how)
    except AuthenticationFailed as error:
        error.auth_header = how.authenticate_header(request)  # type: ignore[attr-defined, arg-type]
        raise
    return found


def _by_certificate(request: HttpRequest, how: TokenAuthentication) -> tuple[Any, Any]:
    found: tuple[Any, Any] | None = how.by_certificate(request)
    if found is None:
        raise NotAuthenticated(
            "send the token of a pilot as Authorization: Bearer <token>, or show a certificate"
        )
    return found
