"""Domain errors. They know no HTTP: pandasite/base/problems.py maps classes to status codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class DomainError(Exception):
    """Something the caller asked for cannot be done, with the reason in words.

    `code` is a stable word for programs, `message` a sentence for people, `fields` the
    offending input fields ({field, code, message, limit}), `extra` further facts for the answer.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Sequence[dict[str, Any]] = (),
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.fields = list(fields)
        self.extra = extra


class BadInput(DomainError):
    """The request says something that can never be right."""

    code = "bad_input"


class NotAllowed(DomainError):
    """The caller is known, but may not do this."""

    code = "not_allowed"


class NotThere(DomainError):
    """No such thing, or not for this caller: the same answer for both."""

    code = "not_found"


class Conflict(DomainError):
    """The request was right once, but the state of the thing has moved on."""

    code = "conflict"


class IllegalMove(Conflict):
    """The state machine has no such move; `legal` lists the moves it has."""

    code = "illegal_transition"


class Unprocessable(DomainError):
    """Well-formed, but it contradicts what is known."""

    code = "unprocessable"


class TooMuch(DomainError):
    """More than one call may carry; the message names the limit."""

    code = "too_many"


class NoRoom(DomainError):
    """There is no space for it."""

    code = "no_room"


class Unavailable(DomainError):
    """Something that it needs is away: another time it may go well."""

    code = "unavailable"


def field_error(field: str, message: str, *, code: str = "invalid", **limit: Any) -> dict[str, Any]:
    """One entry for `DomainError.fields`."""
    error: dict[str, Any] = {"field": field, "code": code, "message": message}
    if limit:
        error["limit"] = limit
    return error
