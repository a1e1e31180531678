"""Who is calling: a user or a pilot, by token; and what each may do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from jobs.models import PilotAccount


class TokenAuthentication(KnoxAuthentication):
    """Knox's hashed, expiring tokens; bytes that are no text are a bad token, not an error."""

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


def pilot_account(user: Any) -> PilotAccount | None:
    """The account that binds a user to a site, None for people."""
    if not user.is_authenticated:
        return None
    return PilotAccount.objects.select_related("site").filter(user=user).first()


class IsPilot(BasePermission):
    """Pilots claim and report; people do not."""

    message = "this needs the token of a pilot"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Keeps the account on the request: the view needs it."""
        account = pilot_account(request.user)
        request.pilot_account = account  # type: ignore[attr-defined]
        return account is not None


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
