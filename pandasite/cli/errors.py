"""How a command ends, and the errors that end it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Ends(IntEnum):
    """The exit codes."""

    WELL = 0
    REFUSED = 1  # the server said no, or a file is not what it should be
    USAGE = 2  # the command line itself is wrong, or nobody has logged in
    UNREACHABLE = 3  # the server cannot be reached, or did not answer
    BADLY = 4  # what was followed did not succeed


class CommandError(Exception):
    """A sentence for the user, further lines below it, and the exit code."""

    ends = Ends.REFUSED

    def __init__(self, message: str, *, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.lines = lines


class Wrong(CommandError):
    """The command line is wrong."""

    ends = Ends.USAGE


class Unreachable(CommandError):
    """No answer."""

    ends = Ends.UNREACHABLE


class EndedBadly(CommandError):
    """What was followed did not succeed."""

    ends = Ends.BADLY


class Refused(CommandError):
    """The server said no: `status`, `code` and the faults of its problem JSON."""

    def __init__(self, *, status: int, problem: Mapping[str, Any], known: bool = True) -> None:
        self.status = status
        self.code = str(problem.get("code", "")) if known else ""
        self.fields: list[Mapping[str, Any]] = list(problem.get("fields", ())) if known else []
        message = str(problem.get("message", ""))
        lines = [words for words in map(_of_field, self.fields) if words != message]
        super().__init__(message, lines=lines)


def _of_field(fault: Mapping[str, Any]) -> str:
    """A wrong field in a sentence, with its limit where the sentence does not tell it."""
    message, field = str(fault.get("message", "")), str(fault.get("field", ""))
    words = message if message.startswith(field) else f"{field}: {message}"
    limit = fault.get("limit")
    if not isinstance(limit, Mapping):
        return words
    more = [f"{name} {value}" for name, value in limit.items() if str(value) not in message]
    bounds = [text for text in more if text.startswith(("min ", "max "))]
    return f"{words} ({', '.join(bounds)})" if bounds else words
