"""What the demo shows: lines, and between them one line that is written over."""

import time
from collections.abc import Callable
from typing import Protocol

QUIET_SECONDS = 5.0  # between progress lines where nothing can be written over


class Output(Protocol):
    """A text stream, or what stands for one in a management command."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Screen:
    """A terminal gets a live line, a log gets a line every few seconds."""

    def __init__(self, out: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.out = out
        self.clock = clock
        self.live = out.isatty()
        self._shown = 0  # characters of the live line on the screen
        self._last = ("", float("-inf"))

    def say(self, line: str) -> None:
        """A line that stays."""
        self._wipe()
        print(line, file=self.out, flush=True)

    def progress(self, line: str) -> None:
        """How far it is; replaces the line before on a terminal."""
        if self.live:
            self._wipe()
            print(line, end="", file=self.out, flush=True)
            self._shown = len(line)
        elif self._worth_a_line(line):
            self._last = (line, self.clock())
            print(line, file=self.out, flush=True)

    def _worth_a_line(self, line: str) -> bool:
        before, at = self._last
        return line != before and self.clock() - at >= QUIET_SECONDS

    def _wipe(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=self.out)
            self._shown = 0
