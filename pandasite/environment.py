"""Reads settings from the environment, and says in one sentence what is wrong with a bad one."""

import os
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})


class Environment:
    """The process environment with typed readers; an empty variable counts as not set.

    Each reader raises `ImproperlyConfigured` with one sentence that names the variable. The text
    of a secret never appears in such a sentence.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def given(self, name: str) -> bool:
        return bool(self.text(name))

    def integer(self, name: str, *, default: int, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        text = self.text(name, str(default))
        sentence = f"{name} must be a whole number from {low} to {high}, not {text!r}."
        try:
            value = int(text)
        except ValueError:
            raise ImproperlyConfigured(sentence) from None
        if not low <= value <= high:
            raise ImproperlyConfigured(sentence)
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        text = self.text(name).lower()
        if not text:
            return default
        if text not in YES | NO:
            raise ImproperlyConfigured(f"{name} must be on or off, not {text!r}.")
        return text in YES

    def words(self, name: str, *, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas, blanks around the items dropped."""
        words = [word.strip() for word in self.text(name).split(",") if word.strip()]
        return words or list(default)

    def choice(self, name: str, *, default: str, among: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in among:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(among)}, not {text!r}.")
        return text

    def secret(self, name: str, *, shortest: int) -> str:
        """The value of NAME, or the content of the file that NAME_FILE names."""
        value = self.text(name) or self._secret_file(f"{name}_FILE")
        if not value:
            raise ImproperlyConfigured(
                f"{name} (or {name}_FILE, the path of a file that holds it) must be set "
                "when DATABASE_URL is set."
            )
        if len(value) < shortest:
            raise ImproperlyConfigured(
                f"{name} must have at least {shortest} characters, it has {len(value)}."
            )
        return value

    def _secret_file(self, name: str) -> str:
        path = self.text(name)
        if not path:
            return ""
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(
                f"{name} names {path}, which cannot be read: {error}."
            ) from None
