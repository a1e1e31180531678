"""How far files have come: bars at a terminal, a line for each file elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from pandasite.cli import show
from pandasite.cli.errors import CommandError, Refused, Unreachable


class Meter:
    """Counts files and bytes. One file that cannot be had stops no other."""

    def __init__(self, *, files: int, size: int) -> None:
        console = show.aside()
        self.live = console.is_terminal
        self.files, self.n_done = files, 0
        self.troubles: list[CommandError] = []
        self.news = ""
        sized = [DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()] if size else []
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), *sized, console=console, expand=False
        )
        self.row = self.bar.add_task(f"0/{files} files", total=size or files or None)
        self.name = ""

    def __enter__(self) -> Self:
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self.live:
            self.bar.stop()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """While it is about this file. A server out of reach ends all, a refusal this one only."""
        self.name = name
        try:
            yield
        except Unreachable:
            raise
        except CommandError as error:
            self.troubles.append(error)
            self._line(f"{name}: {error.message}")
            for line in error.lines:
                self._line(f"  {line}")
            if isinstance(error, Refused) and error.status in (401, 403):
                raise

    def moved(self, n: int) -> None:
        """So many bytes more; fewer than 0 when they have to move again."""
        self.bar.advance(self.row, n)

    def done(self, words: str) -> None:
        """The file is where it should be."""
        self.n_done += 1
        self.bar.update(self.row, description=f"{self.n_done}/{self.files} files")
        if not self.live:
            show.note(f"{self.name} {words}")

    def stand(self, done: int, files: int, trouble: str) -> None:
        """So many of so many files, as somebody else counts them."""
        if self.live and not self.bar.live.is_started:
            self.bar.start()
        words = f"{done}/{files} files"
        self.bar.update(self.row, completed=done, total=files or None, description=words)
        if trouble:
            words += f", last error: {trouble}"
        if words != self.news and not self.live:
            show.note(words)
        self.news = words

    def _line(self, words: str) -> None:
        self.bar.console.print(Text(show.clean(words)))

    def judge(self) -> None:
        """CommandError when a file is missing; a sentence when all are there."""
        if self.troubles:
            raise CommandError(f"{len(self.troubles)} of {self.files} files are missing")
        show.note(f"all is there: {self.files} file{'s' if self.files != 1 else ''}")
