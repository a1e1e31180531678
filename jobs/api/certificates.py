"""Grid certificates at the doors of REST and of PanDA: what they mean there, in HTTP's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from pandasite.base.clock import database_now
from pandasite.identity.x509 import callers
from pandasite.identity.x509.errors import CertificateRefused, CertificateUnknown


def user_by_certificate(meta: Mapping[str, Any]) -> User | None:
    """The user that a request's certificate belongs to; None when it brings none.

    AuthenticationFailed for one that proves nothing, PermissionDenied for one that is nobody's,
    NotAllowed for browsers, BadInput for headers that nobody may send.
    """
    try:
        chain = callers.chain_of(meta)
        return callers.user_of(chain, now=database_now()) if chain else None
    except CertificateRefused as refused:
        raise AuthenticationFailed(refused.message, code=refused.code) from None
    except CertificateUnknown as unknown:
        raise PermissionDenied(unknown.message, code=unknown.code) from None
