"""Read a file once: copy it if asked for, and know its size and adler32 at the end."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import BinaryIO

CHUNK = 1024 * 1024


def read_through(
    source: BinaryIO, *, check: Callable[[], None], into: BinaryIO | None = None
) -> tuple[int, str]:
    """Size in bytes and adler32 as 8 hex digits; `check` may raise between two chunks."""
    size, adler32 = 0, 1
    while chunk := source.read(CHUNK):
        check()
        if into is not None:
            into.write(chunk)
        size += len(chunk)
        adler32 = zlib.adler32(chunk, adler32)
    return size, f"{adler32:08x}"
