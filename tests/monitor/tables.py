"""Reads the tables of a page as people do: rows of cell texts, and where each cell leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Cell:
    """The text of a cell with single blanks, and the addresses of its links in order."""

    text: str = ""
    links: list[str] = field(default_factory=list)


Table = list[list[Cell]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, Table] = {}
        self.table: Table | None = None
        self.cell: Cell | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            name = given.get("aria-labelledby") or given.get("aria-label") or ""
            self.table = self.tables.setdefault(name, [])
        elif tag == "tr" and self.table is not None:
            self.table.append([])
        elif tag in ("td", "th") and self.table:
            self.cell = Cell()
            self.table[-1].append(self.cell)
        elif tag == "a" and self.cell is not None:
            self.cell.links.append(given.get("href") or "")

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell is not None:
            self.cell.text = " ".join(self.cell.text.split())
            self.cell = None
        elif tag == "table":
            self.table = None


def tables(html: str) -> dict[str, Table]:
    """The tables of a page by their label."""
    reader = _Reader()
    reader.feed(html)
    return reader.tables


def rows(table: Table) -> dict[str, list[Cell]]:
    """The rows of a table by the text of their first cell, without the head."""
    return {row[0].text: row for row in table[1:] if row}


def texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]
