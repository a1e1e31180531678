"""Who is calling: a user or a pilot, by a token of ours or of a pinned issuer; what each may do."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from jobs.api import bearers
from jobs.api.certificates import user_by_certificate
from jobs.identity import Caller, without_claims
from jobs.models import PilotAccount
from pandasite.base import rate
from pandasite.base.errors import NotAllowed
from pandasite.identity.bearer import LONGEST, Claims, InsufficientScope, check, may_be_bearer
from pandasite.identity.issuers import WRITE
from pandasite.identity.models import TokenNote
from pandasite.identity.people import user_of
from pandasite.identity.roles import reads_only

SCHEMES = (b"token", b"bearer")


class TokenAuthentication(KnoxAuthentication):
    """Knox's hashed, expiring tokens, and bearer tokens of pinned issuers.

    `Token` and `Bearer` are the same here. Bytes that are no text are a bad token, not an error.
    Who brings no token may show a grid certificate, where the port or the front takes them.
    """

    def authenticate(self, request: Request) -> Any:
        """(user, token), None for strangers; AuthenticationFailed, TooOften after too many."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() not in SCHEMES:
            return self.by_certificate(request)
        return authenticated(request, words, self)

    def by_certificate(self, request: Any) -> Any:
        """(user, None) or None when there is no certificate. AuthenticationFailed and others."""
        user = user_by_certificate(request.META)
        return user and (user, None)

    def authenticate_header(self, request: Request) -> str:
        """What a 401 names as the way in (RFC 6750)."""
        words = get_authorization_header(request).split()
        bearer = bool(words) and words[0].lower() == b"bearer"
        return 'Bearer error="invalid_token"' if bearer else "Token"

    def authenticate_credentials(self, token: bytes) -> Any:
        """(user, token) or AuthenticationFailed."""
        token = without_claims(token)
        if may_be_bearer(token):
            return self.of_bearer(check(token, now=timezone.now()))
        try:
            return super().authenticate_credentials(token)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed("Invalid token.") from error

    def validate_user(self, auth_token: Any) -> Any:
        """A banned user is known: 403, since another try to log in would not help."""
        if not auth_token.user.is_active:
            raise PermissionDenied("this account is banned", code="banned")
        note = getattr(auth_token, "note", None)
        auth_token.user.token_reads_only = note is not None and note.scope == TokenNote.Scope.READ
        return auth_token.user, auth_token

    def of_bearer(self, claims: Claims) -> Any:
        """(user, claims) of a good token of another issuer: a person, or a site's pilots."""
        if claims.site:
            return bearers.pilot_of(claims).user, claims
        claims.must_read()
        return user_of(claims, now=timezone.now()), claims


def authenticated(request: Any, words: list[bytes], how: TokenAuthentication) -> Any:
    """What `how` makes of the words of the header; a bad token counts against the address.

    Whoever has a good token is let in, however many wrong ones come from the same address.
    """
    try:
        if len(words) != 2 or not _may_be(words[1]):
            raise AuthenticationFailed("Invalid token.")
        return how.authenticate_credentials(words[1])
    except AuthenticationFailed:
        address = str(request.META.get("REMOTE_ADDR", ""))
        rate.count("bad_token", address, most=settings.PANDASITE["BAD_TOKENS"])
        raise


def _may_be(token: bytes) -> bool:
    return len(token) <= LONGEST and token.isascii() and token.decode().isprintable()


class Known:
    """Pilot tokens that were looked up before: by a hash of theirs, who they belong to.

    It says nothing of whether a token is still good: that is asked of the database with each
    request, in `claim`'s and `report`'s own statement or by `holds`.
    """

    def __init__(self, *, most: int = 20_000) -> None:
        self._callers: dict[bytes, Caller] = {}
        self._most = most

    def get(self, token: bytes) -> Caller | None:
        return self._callers.get(self._key(token))

    def keep(self, token: bytes, caller: Caller) -> None:
        if len(self._callers) >= self._most:
            self.clear()
        self._callers[self._key(token)] = caller

    def clear(self) -> None:
        """Look everybody up anew: rare, and all of them come again."""
        self._callers.clear()

    @staticmethod
    def _key(token: bytes) -> bytes:
        return hashlib.sha256(token).digest()


KNOWN = Known()


class PilotAuthentication(TokenAuthentication):
    """A pilot's token as its Caller, without a query when it was seen before.

    For views whose own statement asks whether the token is still good, and answers TokenGone.
    """

    def authenticate_credentials(self, token: bytes) -> Any:
        """(user or None, Caller or None): people have no Caller. AuthenticationFailed as ever."""
        token = without_claims(token)
        if may_be_bearer(token):
            return PILOT, bearers.caller_of(token, now=timezone.now())
        caller = KNOWN.get(token)
        if caller is None:
            user, row = super().authenticate_credentials(token)
            account = pilot_account(user)
            if account is None:
                return user, None
            caller = Caller.of(account, token=row.digest)
            KNOWN.keep(token, caller)
        return PILOT, caller

    def by_certificate(self, request: Any) -> Any:
        """(user, Caller of a pilot or None), or None when there is no certificate."""
        user = user_by_certificate(request.META)
        account = pilot_account(user) if user else None
        return (PILOT, Caller.of(account)) if account else user and (user, None)


class PilotUser:
    """Stands for the user of a pilot account, of which nothing more is needed."""

    is_authenticated = True
    is_active = True


PILOT = PilotUser()


def pilot_account(user: Any) -> PilotAccount | None:
    """The account that binds a user to a site, None for people."""
    if not user.is_authenticated:
        return None
    return PilotAccount.objects.select_related("site").filter(user=user).first()


class IsPilot(BasePermission):
    """Pilots claim and report; people do not."""

    message = "this needs the token of a pilot"

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Caller)


class IsPerson(BasePermission):
    """People submit, read and kill; pilots do not, and readers only read."""

    message = "pilots may only claim and report"

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated or pilot_account(request.user) is not None:
            return False
        if request.method not in SAFE_METHODS:
            must_write(request.user)
        return True


def must_write(user: Any) -> None:
    """InsufficientScope when the token is for reading, NotAllowed when the user is a reader."""
    if getattr(user, "token_reads_only", False):
        raise InsufficientScope(WRITE)
    if reads_only(user):
        raise NotAllowed("readers change nothing", code="reads_only")


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes our tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>` or `Bearer <token>`, from the page *My tokens*, from"
            " `manage.py token`, or of an issuer that this server knows",
        }


class PilotTokenScheme(TokenScheme):
    """The same, as pilots bring it."""

    target_class = PilotAuthentication
    name = "pilot_token"
