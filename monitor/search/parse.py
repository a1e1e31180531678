"""What a text in the search box may mean. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.states import JobState

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
BIGGEST = 2**63 - 1
LAST = chr(0x10FFFF)  # sorts behind every character


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A text, and what it may be besides the beginning of a name.

    number: a PandaID, a taskID or an error code; None when it is none. component: of `pilot:1099`.
    """

    text: str
    number: int | None = None
    guid: str = ""
    component: str = ""
    code: int | None = None
    state: str = ""

    @property
    def low(self) -> str:
        """The first name that begins with the text."""
        return self.text

    @property
    def high(self) -> str:
        """A text behind the last name that begins with the text."""
        return self.text + LAST


def parse(text: str) -> Asked:
    """The meanings of a text; blanks around it do not count."""
    text = text.strip()
    component, _, code = text.partition(":")
    return Asked(
        text=text,
        number=_number(text),
        guid=text if GUID.fullmatch(text) else "",
        component=component.strip() if _number(code.removeprefix("-")) is not None else "",
        code=_signed(code),
        state=next((s.value for s in JobState if s.value == text.lower()), ""),
    )


def _number(text: str) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        return None
    return int(text) if int(text) <= BIGGEST else None


def _signed(text: str) -> int | None:
    found = _number(text.strip().removeprefix("-"))
    if found is None or found > 2**31 - 1:
        return None
    return -found if text.strip().startswith("-") else found
