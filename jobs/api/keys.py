"""The Idempotency-Key header, and the fingerprint of the body that it stands for."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from rest_framework.request import Request

from pandasite.base.errors import BadInput, field_error

HEADER = "Idempotency-Key"
_ENCODER = json.JSONEncoder(sort_keys=True, default=str)
KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


def idempotency_key(request: Request, *, required: bool) -> str:
    """The key, '' when there is none and none is needed."""
    key = request.headers.get(HEADER, "")
    if not key and not required:
        return ""
    if not KEY.fullmatch(key):
        message = f"{HEADER} must be 1 to 64 letters, digits and . _ -"
        raise BadInput(
            message,
            code="bad_key" if key else "key_required",
            fields=[field_error(HEADER, message, code="bad_key", min=1, max=64)],
        )
    return key


def fingerprint(body: Any) -> str:
    """SHA-256 of a checked body, whatever order its fields came in."""
    text = _ENCODER.encode(body)
    return hashlib.sha256(text.encode()).hexdigest()
