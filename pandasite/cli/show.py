"""What the user sees: tables, facts, JSON, and errors in sentences."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pandasite.cli.errors import CommandError

WIDE = 10_000  # a file or a pipe has no edge at which to break lines
# What would move the cursor, or change what is on the screen already.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
STYLES = {
    "done": "green", "finished": "green", "failed": "red", "aborted": "red", "broken": "red",
    "exhausted": "red", "cancelled": "red", "running": "cyan", "scouting": "cyan",
    "paused": "yellow", "pending": "yellow", "lost": "red", "available": "green",
}  # fmt: skip


def screen() -> Console:
    """Where answers go."""
    return _console(stderr=False)


def aside() -> Console:
    """Where progress and errors go: out of the way of what a pipe carries on."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def clean(value: Any) -> str:
    """A text of the server's, without what a terminal would obey."""
    return "" if value is None else CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))


def say(text: str) -> None:
    """A line of the answer."""
    screen().print(Text(clean(text)))


def note(text: str) -> None:
    """A line beside the answer."""
    aside().print(Text(clean(text)))


def as_json(data: Any) -> None:
    """The answer as the server gave it."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows with a head; numbers to the right."""
    found = [*rows]
    if not found:
        note(empty)
        return
    made = Table(box=None, pad_edge=False, header_style="bold")
    for head, first in zip(heads, found[0], strict=True):
        made.add_column(head, justify="right" if isinstance(first, int | float) else "left")
    for row in found:
        made.add_row(*(cell(value) for value in row))
    _show(made)


def _show(made: Table) -> None:
    """The table, without blanks at the ends of lines where it is not for a terminal."""
    console = screen()
    if console.is_terminal:
        console.print(made)
        return
    with console.capture() as kept:
        console.print(made)
    lines = kept.get().splitlines()
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def cell(value: Any) -> Text:
    """A value; words for states have their colour."""
    text = f"{value:,}" if isinstance(value, float) else clean(value)
    return Text(text, style=STYLES.get(text, ""))


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, those that say something."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs:
        if value not in (None, "", [], {}):
            made.add_row(Text(name, style="bold"), cell(value))
    _show(made)


def error(problem: CommandError) -> None:
    """What went wrong, and below it each field that is wrong."""
    console = aside()
    console.print(Text(f"pandasite: {clean(problem.message)}", style="red"))
    for line in problem.lines:
        console.print(Text(f"  {clean(line)}"))


def span(seconds: float | None) -> str:
    """Seconds in words: `1 h 20 min`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    words = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    told = [f"{n} {unit}" for n, unit in words if n][:2]
    return " ".join(told) or "0 s"


def size(n: float) -> str:
    """Bytes in the unit that suits: `1.5 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    raise AssertionError("TB is the last")


def when(text: str | None) -> str:
    """An ISO time of the server as `YYYY-MM-DD HH:MM`, UTC."""
    return text[:16].replace("T", " ") if text else ""
