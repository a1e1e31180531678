"""Serializer fields for the names of data: LFN, scope, dataset, checksum, GUID.

These names end up in paths and addresses of storage elements, so each has a narrow alphabet.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from pandasite.base.fields import StrictCharField, refuse


class NameField(StrictCharField):
    """A text of one pattern; subclasses give the pattern, its words and the code."""

    pattern: re.Pattern[str]
    words: str
    code: str
    longest: int

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": self.longest, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """The name, in its stored form."""
        text = super().to_internal_value(data)
        if text and (".." in text or not self.pattern.fullmatch(text)):
            refuse(self.code, f"must be {self.words}", pattern=self.pattern.pattern)
        return self.stored(text)

    def stored(self, text: str) -> str:
        """The form that is kept."""
        return text


class LfnField(NameField):
    """A logical file name: one path component, at most 250 characters."""

    pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,249}")
    words = "a file name of letters, digits and . _ + - that starts with a letter or digit"
    code = "bad_lfn"
    longest = 250


class ScopeField(NameField):
    """The name space of an LFN."""

    pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    words = "letters, digits and . _ - starting with a letter or digit"
    code = "bad_scope"
    longest = 64


class DatasetNameField(NameField):
    """A dataset or container name; a container's ends with a slash."""

    pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:/[A-Za-z0-9._+-]+)*/?")
    words = "a dataset name of letters, digits and . _ + - /"
    code = "bad_dataset"
    longest = 255


class Adler32Field(NameField):
    """Eight hexadecimal digits, with or without `ad:` in front; kept bare and in lower case."""

    pattern = re.compile(r"(?:ad:)?[0-9A-Fa-f]{8}")
    words = "an adler32 checksum of eight hexadecimal digits"
    code = "bad_checksum"
    longest = 11

    def stored(self, text: str) -> str:
        """Without prefix, in lower case."""
        return text.removeprefix("ad:").lower()


class GuidField(NameField):
    """A GUID with its dashes, in either case; kept in lower case."""

    pattern = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
    words = "a GUID such as 7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00"
    code = "bad_guid"
    longest = 36

    def stored(self, text: str) -> str:
        """As Python writes it."""
        return str(uuid.UUID(text)) if text else text
