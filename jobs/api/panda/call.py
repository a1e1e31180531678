"""A call as its handler gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.identity import Caller


@dataclass(frozen=True, kw_only=True)
class Call:
    """The arguments as they came, and who calls: a pilot's Caller, a user, None at open doors."""

    values: dict[str, Any]
    caller: Any

    @property
    def pilot(self) -> Caller | None:
        """The caller, if it is a pilot."""
        return self.caller if isinstance(self.caller, Caller) else None


Handler = Callable[[Call], Any]
