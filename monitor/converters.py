"""What an address may have in a place."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import get_converters


class PandaID:
    """A number that fits the key's column; anything else is no address of ours."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


def register() -> None:
    """Make `<number:...>` known; again does no harm."""
    if "number" not in get_converters():
        register_converter(PandaID, "number")
