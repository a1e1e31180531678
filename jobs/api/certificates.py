"""Grid certificates at the doors of REST and of PanDA: what they mean there, in HTTP's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed

from pandasite.base.clock import database_now
from pandasite.identity.x509 import callers
from pandasite.identity.x509.errors import CertificateRefused


def user_by_certificate(meta: Mapping[str, Any]) -> User | None:
    """The user that a request's certificate belongs to; None when it brings none.

    AuthenticationFailed for one that proves nothing, NotAllowed for one that is nobody's or a
    browser's, BadInput for headers that nobody may send.
    """
    try:
        chain = callers.chain_of(meta)
        return callers.user_of(chain, now=database_now()) if chain else None
    except CertificateRefused as refused:
        raise AuthenticationFailed(refused.message, code=refused.code) from None
