"""A thousand connections at once, each a client of its own, in one thread."""

from __future__ import annotations

import asyncio
import json
import resource
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.scale.pilots import claim_body

OPEN_FILES = 4096


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a request came to, and how long it took from the first try to connect on (s)."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    seconds: float


class Line:
    """One connection to a web server; open it before the first question."""

    def __init__(self, url: str, token: str) -> None:
        self._place = urlsplit(url)
        self._token = token

    async def open(self) -> Line:
        place = self._place
        self._reader, self._writer = await asyncio.open_connection(place.hostname, place.port)
        return self

    async def claim(self, *, place: str, pilot: str) -> Reply:
        return await self.ask("POST", "/rest/v1/pilot/claim", claim_body(place, pilot))

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        begun = time.monotonic()
        content = json.dumps(body).encode() if body is not None else b""
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._place.hostname}",
            f"Authorization: Token {self._token}",
            f"Idempotency-Key: {uuid.uuid4().hex}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
        ]
        self._writer.write("\r\n".join([*head, "", ""]).encode() + content)
        status, headers = await self._head()
        if length := headers.get("content-length"):
            text = await self._reader.readexactly(int(length))
        else:  # in one chunk, whose length stands before it
            size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
            text = await self._reader.readexactly(size)
            await self._reader.readuntil(b"\r\n0\r\n\r\n")
        took = time.monotonic() - begun
        return Reply(status=status, headers=headers, body=json.loads(text), seconds=took)

    async def _head(self) -> tuple[int, dict[str, str]]:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}

    def close(self) -> None:
        self._writer.close()


def allow_open_files() -> None:
    """As many as a thousand connections want."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, _soft), hard))


def percentile(replies: Sequence[Reply], percent: int) -> float:
    """The time within which so many of them were answered (ms)."""
    times = sorted(reply.seconds for reply in replies)
    return round(1000 * times[min(len(times) - 1, len(times) * percent // 100)], 1)
