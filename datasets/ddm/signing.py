"""Signatures of news between data management systems: HMAC-SHA256 over time and body. Pure.

`X-DDM-Sender` names the secret, `X-DDM-Time` is in whole seconds, `X-DDM-Signature` is
`sha256=<hex>` over `<sender>\\n<time>\\n<body>`. What is signed once cannot be sent under another
name or at another time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

SENDER, TIME, SIGNATURE = "X-DDM-Sender", "X-DDM-Time", "X-DDM-Signature"


def signature(secret: str, *, sender: str, time: str, body: bytes) -> str:
    """What stands in the header SIGNATURE."""
    message = f"{sender}\n{time}\n".encode() + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed(secret: str, *, sender: str, time: int, body: bytes) -> dict[str, str]:
    """The three headers."""
    text = str(time)
    made = signature(secret, sender=sender, time=text, body=body)
    return {SENDER: sender, TIME: text, SIGNATURE: made}


def holds(given: str, secrets: Sequence[str], *, sender: str, time: str, body: bytes) -> bool:
    """Whether one of the secrets made it; all are tried, so that the time says nothing."""
    said = given.encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(
            said, signature(secret, sender=sender, time=time, body=body).encode("ascii")
        )
        for secret in secrets
    ]
    return any(matches)


def is_timely(time: str, *, now: float, window: int) -> bool:
    """Whether the time of a signature lies within the window around now (s)."""
    if not (time.isascii() and time.isdigit() and len(time) < 16):
        return False
    return abs(int(time) - now) <= window
