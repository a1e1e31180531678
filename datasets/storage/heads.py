"""A limit for the whole head of an answer: a byte at a time, each in good time, is no answer.

httpx limits the silence between two bytes only, and httpcore tells (its `trace`) when it begins to
wait for a head and when it has it. Both run in the thread of the caller.
"""

from __future__ import annotations

import ssl
import threading
import time
from typing import Any

import httpcore
import httpx

_waiting = threading.local()


def limit(request: httpx.Request, *, seconds: float) -> None:
    """Let the head of the answer take so long at most; a hook of a client."""

    def trace(name: str, _info: dict[str, Any]) -> None:
        if name == "http11.receive_response_headers.started":
            _waiting.until = time.monotonic() + seconds
        elif name.startswith("http11.receive_response_headers."):
            _waiting.until = None

    request.extensions["trace"] = trace


class LimitedStream(httpcore.NetworkStream):
    """A connection that reads no longer than `limit` says."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self.inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until = getattr(_waiting, "until", None)
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:
                raise httpcore.ReadTimeout("too slow an answer")
            timeout = left if timeout is None else min(timeout, left)
        return self.inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, timeout)

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return LimitedStream(self.inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)
