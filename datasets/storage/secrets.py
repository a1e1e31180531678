"""Credentials of storage, by the name that an administrator has put into the record.

They are in the environment (PANDASITE_STORAGE_SECRET_<NAME>) or in a file of that name in the
folder PANDASITE_STORAGE_SECRETS: never in the database, in a log or on a page.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from datasets.storage.base import StorageError

PREFIX = "PANDASITE_STORAGE_SECRET_"


@dataclass(frozen=True, kw_only=True)
class Secret:
    """User and password (S3: key and secret), or a token."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def read_secret(name: str) -> Secret | None:
    """The credentials of that name; None for no name. StorageError when there are none."""
    if not name:
        return None
    text = os.environ.get(PREFIX + name.upper()) or _from_file(name)
    if not text.strip():
        raise StorageError(
            f"there is no secret {name!r}: neither {PREFIX}{name.upper()} nor a file of that name"
        )
    return parse(name, text.strip())


def parse(name: str, text: str) -> Secret:
    """`user:password`, or `bearer TOKEN`. The error never holds the text."""
    kind, _, token = text.partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return Secret(token=token.strip())
    user, separator, password = text.partition(":")
    if not separator or not user or not password:
        raise StorageError(f"the secret {name!r} is neither user:password nor bearer TOKEN")
    return Secret(user=user, password=password)


def _from_file(name: str) -> str:
    path = Path(settings.PANDASITE_STORAGE_SECRETS) / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"the file of the secret {name!r} cannot be read") from error
