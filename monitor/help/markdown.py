"""The part of Markdown that our documents use, as blocks that a template draws. Pure.

Headings, paragraphs, lists, tables, code; within them code, bold, stress and links. All text is
escaped; a link leads to another document, into a document or to a web page, else it is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

HEADING = re.compile(r"(#{1,4}) +(.+)")
ITEM = re.compile(r"(?:[-*]|(\d+)\.) +(.*)")
FENCE = "```"
TOKEN = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|(?<!\w)\*(?P<stress>[^*\s][^*]*)\*|\[(?P<text>[^\]]+)\]\((?P<url>[^)\s]+)\)"
)
Where = Callable[[str], str]  # the address behind a link's target; '' = none


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a document. `kind`: heading, paragraph, code, bullets, numbers or table."""

    kind: str
    text: str = ""  # escaped, but for code, which is as it stands
    level: int = 0  # of a heading
    anchor: str = ""
    items: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def blocks(source: str, *, where: Where) -> list[Block]:
    """A document as its blocks, in order."""
    return list(_Reader(source.splitlines(), where).blocks())


def anchor(title: str) -> str:
    """The name of a heading in an address: `Ended jobs` is `ended-jobs`."""
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


def inline(text: str, *, where: Where) -> SafeString:
    """Code, bold, stress and links within a text; everything else is escaped."""
    return format_html_join("", "{}", ((part,) for part in _parts(text, where)))


def _parts(text: str, where: Where) -> Iterator[SafeString]:
    end = 0
    for found in TOKEN.finditer(text):
        yield conditional_escape(text[end : found.start()])
        end = found.end()
        if found["code"]:
            yield format_html("<code>{}</code>", found["code"])
        elif found["bold"]:
            yield format_html("<strong>{}</strong>", inline(found["bold"], where=where))
        elif found["stress"]:
            yield format_html("<em>{}</em>", inline(found["stress"], where=where))
        else:
            words, url = inline(found["text"], where=where), where(found["url"])
            yield format_html('<a href="{}">{}</a>', url, words) if url else words
    yield conditional_escape(text[end:])


class _Reader:
    """Goes through the lines of a document once."""

    def __init__(self, lines: Sequence[str], where: Where) -> None:
        self.lines = lines
        self.where = where
        self.at = 0

    def blocks(self) -> Iterator[Block]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip():
                self.at += 1
            elif line.startswith(FENCE):
                yield self._code()
            elif found := HEADING.match(line):
                self.at += 1
                words = found[2].strip()
                yield Block(
                    kind="heading",
                    text=self._inline(words),
                    level=len(found[1]),
                    anchor=anchor(words),
                )
            elif line.startswith("|"):
                yield self._table()
            elif ITEM.match(line):
                yield self._list()
            else:
                yield Block(kind="paragraph", text=self._inline(" ".join(self._run())))

    def _inline(self, text: str) -> str:
        return inline(text, where=self.where)

    def _code(self) -> Block:
        self.at += 1
        begun = self.at
        while self.at < len(self.lines) and not self.lines[self.at].startswith(FENCE):
            self.at += 1
        self.at += 1
        return Block(kind="code", text="\n".join(self.lines[begun : self.at - 1]))

    def _run(self) -> list[str]:
        """Lines up to one that is empty or begins something else."""
        found = [self.lines[self.at].strip()]
        self.at += 1
        while self.at < len(self.lines):
            line = self.lines[self.at]
            other = line.startswith((FENCE, "|")) or HEADING.match(line) or ITEM.match(line)
            if not line.strip() or other:
                break
            found.append(line.strip())
            self.at += 1
        return found

    def _list(self) -> Block:
        first, items = ITEM.match(self.lines[self.at]), []
        assert first is not None
        while self.at < len(self.lines) and (found := ITEM.match(self.lines[self.at])):
            items.append(self._inline(" ".join([found[2], *self._run()[1:]])))
        return Block(kind="numbers" if first[1] else "bullets", items=items)

    def _table(self) -> Block:
        """The second line only says which is the head."""
        rows = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("|"):
            cells = re.split(r"(?<!\\)\|", self.lines[self.at].strip().strip("|"))
            rows.append([self._inline(cell.strip().replace("\\|", "|")) for cell in cells])
            self.at += 1
        return Block(kind="table", head=rows[0], rows=rows[2:])
