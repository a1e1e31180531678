"""Lease tokens: 256 bits that only the pilot of one attempt knows.

The server keeps the SHA-256. The token itself is derived from a random salt and the secret key,
so that a repeated claim can be answered with the same token, which is stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from django.conf import settings


def new_salt() -> str:
    return secrets.token_hex(16)


def token(salt: str) -> str:
    """The lease token that belongs to a salt: 64 hex digits."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"lease:" + salt.encode(), "sha256").hex()


def fingerprint(lease_token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(lease_token.encode()).hexdigest()


def matches(lease_token: str, stored: str) -> bool:
    """Whether the token is the one whose fingerprint is stored; in constant time."""
    return bool(stored) and hmac.compare_digest(fingerprint(lease_token), stored)
