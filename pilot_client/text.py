"""The payload's words, made fit to travel: bounded, UTF-8, no control characters."""

from __future__ import annotations

import os
import re
from pathlib import Path

TAIL_BYTES = 16 * 1024
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def clean(text: str) -> str:
    """Line ends as newlines; other control characters as the replacement character."""
    return CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def tail(path: Path, size: int = TAIL_BYTES) -> str:
    """The last `size` bytes of a file as clean text; empty where there is no file."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - size))
            content = file.read(size)
    except FileNotFoundError:
        return ""
    return clean(content.decode("utf-8", errors="replace"))


def last_line(path: Path, limit: int = 200) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in tail(path, 4096).splitlines() if line.strip()]
    return lines[-1][:limit] if lines else ""
