"""A call as its handler gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from jobs.identity import Caller


@dataclass(frozen=True, kw_only=True)
class Call:
    """The arguments as they came, and who calls: a pilot's Caller, a user, None at open doors.

    `site` is the address that was called, as in https://host:port; `request` is there for who reads
    a body that is no list of arguments.
    """

    values: dict[str, Any]
    caller: Any
    site: str = ""
    request: HttpRequest | None = None

    @property
    def pilot(self) -> Caller | None:
        """The caller, if it is a pilot."""
        return self.caller if isinstance(self.caller, Caller) else None


Handler = Callable[[Call], Any]
