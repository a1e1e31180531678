"""The documents of the folder `docs`, for people of the site: shifters first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse

from monitor.help.markdown import Block, blocks
from pandasite.base.errors import NotThere

# In this order; all others follow by name.
FIRST = ("shift", "states", "brokerage", "production", "rest")
WEB = ("https://", "http://")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document: its title, and what follows it."""

    name: str
    title: str
    blocks: Sequence[Block]
    source: str

    @property
    def url(self) -> str:
        return reverse("monitor:help_page", args=[self.name])

    @property
    def about(self) -> str:
        """Its first paragraph, escaped."""
        return next((block.text for block in self.blocks if block.kind == "paragraph"), "")

    @property
    def contents(self) -> list[Block]:
        """Its headings of the second level."""
        return [block for block in self.blocks if block.kind == "heading" and block.level == 2]

    def as_json(self) -> dict[str, Any]:
        """The facts; the text as it was written."""
        return {"name": self.name, "title": self.title, "url": self.url, "text": self.source}


def names() -> list[str]:
    """The documents that there are, those of FIRST first."""
    there = {path.stem for path in _folder().glob("*.md")}
    return [name for name in FIRST if name in there] + sorted(there - set(FIRST))


def read(name: str) -> Document:
    """A document by name; NotThere when there is none."""
    known = names()
    if name not in known:
        raise NotThere(f"there is no document {name[:80]}")
    source = (_folder() / f"{name}.md").read_text(encoding="utf-8")
    found = blocks(source, where=_where(known))
    titled = bool(found) and found[0].kind == "heading"
    return Document(
        name=name,
        title=found[0].text if titled else name,
        blocks=found[1:] if titled else found,
        source=source,
    )


def every() -> list[Document]:
    """All of them."""
    return [read(name) for name in names()]


def _folder() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _where(known: Sequence[str]) -> Callable[[str], str]:
    """Where a link of a document leads, on this site or in the web; '' when it is neither."""

    def url(target: str) -> str:
        if target.startswith(("#", *WEB)):
            return target
        name, _, part = target.partition("#")
        if name.removesuffix(".md") not in known:
            return ""
        page = reverse("monitor:help_page", args=[name.removesuffix(".md")])
        return page + (f"#{part}" if part else "")

    return url
