"""The names that sandboxes may have, as panda-client makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from pandasite.base.errors import BadInput, field_error

NAME: Final = re.compile(
    r"(jobO|sources)\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.tar\.gz"
)
_IN_TEXT: Final = re.compile(rf"(?<![\w.-]){NAME.pattern}(?![\w.-])")
MB: Final = 1024 * 1024  # as panda-client counts


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes of an archive, and of what is packed in it."""

    size: int
    inflated: int


def checked(name: str) -> str:
    """The name; BadInput for any that no sandbox has."""
    if not NAME.fullmatch(name):
        message = (
            f"file must be named jobO.<uuid>.tar.gz or sources.<uuid>.tar.gz, not {name[:80]!r}"
        )
        raise BadInput(
            message, code="bad_name", fields=[field_error("file", message, code="bad_name")]
        )
    return name


def limits(name: str) -> Limits:
    """What an archive of this name may have."""
    kind = "SOURCES" if name.startswith("sources.") else "JOBO"
    size, inflated = (settings.PANDASITE[f"SANDBOX_{kind}{what}_MB"] for what in ("", "_UNPACKED"))
    return Limits(size=size * MB, inflated=inflated * MB)


def named_in(text: str) -> str:
    """The first sandbox that the parameters of a job name, empty where they name none."""
    found = _IN_TEXT.search(text)
    return found[0] if found else ""
