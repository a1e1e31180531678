"""Log-in to the pages by an issuer: the code flow with PKCE; `bearer.check` checks the ID token.

mozilla-django-oidc does the flow; what it asks of settings comes from the issuer's entry.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from pandasite.base import audit
from pandasite.base.clock import database_now
from pandasite.identity.backend import RightsBackend
from pandasite.identity.bearer import Claims, check
from pandasite.identity.issuers import Issuer, Login
from pandasite.identity.people import user_of
from pandasite.identity.roles import INTO_THE_ADMIN

CALLBACK: Final = "monitor:issuer_callback"
SECONDS: Final = 10  # for the issuer's answer


def login_issuer() -> Issuer | None:
    """The one that people log in with; None: there is none."""
    return next((one for one in settings.PANDASITE_ISSUERS.values() if one.login), None)


def setting(name: str, *default: Any) -> Any:
    """What the library asks of the settings."""
    issuer = login_issuer()
    if issuer is None or issuer.login is None:
        return default[0] if default else ""
    return _settings(issuer.login).get(name, *default or [""])


def _settings(login: Login) -> dict[str, Any]:
    return {
        "OIDC_RP_CLIENT_ID": login.client_id,
        "OIDC_RP_CLIENT_SECRET": _secret(login),
        "OIDC_RP_SCOPES": login.scopes,
        "OIDC_RP_SIGN_ALGO": "HS256",  # never used: `check` knows what is taken
        "OIDC_OP_AUTHORIZATION_ENDPOINT": login.authorization_endpoint,
        "OIDC_OP_TOKEN_ENDPOINT": login.token_endpoint,
        "OIDC_AUTHENTICATION_CALLBACK_URL": CALLBACK,
        "OIDC_USE_PKCE": True,
        "OIDC_TIMEOUT": SECONDS,
        "LOGIN_REDIRECT_URL": settings.LOGIN_REDIRECT_URL,
    }


def _secret(login: Login) -> str:
    if not login.client_secret_file:
        return ""
    return Path(login.client_secret_file).read_text(encoding="utf-8").strip()


class IssuerBackend(OIDCAuthenticationBackend):
    """Lets in whom the issuer knows. It says nothing of rights: RightsBackend does."""

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Any:
        """Only as the callback calls it: with what the session had kept of the way there."""
        if login_issuer() is None or not {"nonce", "code_verifier"} <= kwargs.keys():
            return None
        return super().authenticate(request, **kwargs)

    def verify_token(self, token: str, **kwargs: Any) -> Claims:
        """Its claims; AuthenticationFailed, SuspiciousOperation."""
        issuer = login_issuer()
        if issuer is None or issuer.login is None or not isinstance(token, str):
            raise SuspiciousOperation("there is no ID token")
        claims = check(token.encode(), now=timezone.now(), audiences=[issuer.login.client_id])
        if claims.issuer != issuer:
            raise SuspiciousOperation("the ID token is of another issuer")
        nonce = kwargs.get("nonce") or ""
        if not nonce or not secrets.compare_digest(claims.nonce.encode(), str(nonce).encode()):
            raise SuspiciousOperation("the ID token is not of this log-in")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: Claims) -> User:
        """The user, with the roles that the issuer gives."""
        now = database_now()
        user = user_of(payload, now=now)
        keep_roles(user, payload)
        return user

    def get_user(self, user_id: int) -> Any:
        """Of a session; none of who is banned meanwhile, which the library would let go on."""
        return RightsBackend().get_user(user_id)

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return False

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return False

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    get_user_permissions = get_group_permissions = get_all_permissions


@transaction.atomic
def keep_roles(user: User, claims: Claims) -> None:
    """Give the roles that the issuer says, and take those that it could give and does not.

    Roles that its entry does not name, and superusers, are left alone.
    """
    could, gives = set(claims.issuer.roles.values()), set(claims.roles)
    if not could or user.is_superuser:
        return
    user = User.objects.select_for_update().get(pk=user.pk)
    before = set(user.groups.values_list("name", flat=True))
    user.groups.remove(*Group.objects.filter(name__in=could - gives))
    user.groups.add(*Group.objects.filter(name__in=gives))
    after = set(user.groups.values_list("name", flat=True))
    staff = bool(after & INTO_THE_ADMIN)
    if before == after and user.is_staff == staff:
        return
    User.objects.filter(pk=user.pk).update(is_staff=staff)
    audit.record(
        actor=user,
        action="roles_kept",
        subject=f"user {user.get_username()}",
        reason=f"as {claims.issuer.issuer} says",
        now=database_now(),
        facts={"before": sorted(before), "after": sorted(after), "staff": staff},
    )
