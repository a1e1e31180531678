"""Who is calling: a user or a pilot, by token; and what each may do."""

from __future__ import annotations

import hashlib
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from jobs.api.certificates import user_by_certificate
from jobs.identity import Caller
from jobs.models import PilotAccount


class TokenAuthentication(KnoxAuthentication):
    """Knox's hashed, expiring tokens; bytes that are no text are a bad token, not an error.

    Who brings no token may show a grid certificate, where the port or the front takes them.
    """

    def authenticate(self, request: Any) -> Any:
        """(user, token), (user, None) by a certificate, or None for strangers."""
        found = super().authenticate(request)
        return self.by_certificate(request) if found is None else found

    def by_certificate(self, request: Any) -> Any:
        """(user, None) or None when there is no certificate. AuthenticationFailed and others."""
        user = user_by_certificate(request.META)
        return user and (user, None)

    def authenticate_credentials(self, token: bytes) -> Any:
        """(user, token) or AuthenticationFailed."""
        try:
            return super().authenticate_credentials(token)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed("Invalid token.") from error

    def validate_user(self, auth_token: Any) -> Any:
        """A banned user is known: 403, since another try to log in would not help."""
        if not auth_token.user.is_active:
            raise PermissionDenied("this account is banned", code="banned")
        return auth_token.user, auth_token


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
        """(user or None, Caller or None): who has no certificate any more, has none here."""
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
    """People submit, read and kill; pilots do not."""

    message = "pilots may only claim and report"

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated) and pilot_account(request.user) is None


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes our tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>`, from `manage.py token`",
        }


class PilotTokenScheme(TokenScheme):
    """The same, as pilots bring it."""

    target_class = PilotAuthentication
    name = "pilot_token"
