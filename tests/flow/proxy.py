"""A door between a pilot and the server that loses what the test wants lost.

Each connection carries one request. `lose_question` decides before the server hears of it,
`lose_answer` when the server has done it; either may take its time, as a slow network does.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CLAIM = "/rest/v1/pilot/claim"
REPORT = "/rest/v1/pilot/report"
KEPT = ("Authorization", "Content-Type", "Idempotency-Key", "User-Agent")
SERVER_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Question:
    """A pilot's request."""

    path: str
    key: str
    body: dict[str, Any]

    @property
    def is_final(self) -> bool:
        return self.body.get("state") in ("finished", "failed")


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request that the server has answered, and whether the pilot got to know it."""

    question: Question
    status: int
    answer: dict[str, Any]
    lost: bool = False

    @property
    def job(self) -> dict[str, Any] | None:
        """The job that was handed out."""
        return self.answer.get("job")


def nothing(*_: object) -> bool:
    """What a good network loses."""
    return False


class Proxy(ThreadingHTTPServer):
    """Passes everything on until it is told otherwise; remembers what was answered."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream).netloc
        self.lose_question: Callable[[Question], bool] = nothing
        self.lose_answer: Callable[[Question, dict[str, Any]], bool] = nothing
        self.exchanges: list[Exchange] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def claims(self) -> list[Exchange]:
        """Those that came to a job."""
        return [one for one in self.exchanges if one.question.path == CLAIM and one.job]

    def finals(self) -> list[Exchange]:
        """Final reports."""
        return [one for one in self.exchanges if one.question.is_final]


class Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        question = Question(
            path=self.path,
            key=self.headers.get("Idempotency-Key", ""),
            body=json.loads(content),
        )
        self.close_connection = True  # without an answer, unless there will be one
        if self.server.lose_question(question):
            return
        try:
            status, headers, text = self.pass_on(content)
        except (OSError, http.client.HTTPException):
            return
        if not self.noted(question, status, json.loads(text)):
            self.answer(status, headers, text)

    def pass_on(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=SERVER_SECONDS)
        kept = {name: self.headers[name] for name in KEPT if name in self.headers}
        try:
            connection.request("POST", self.path, content, kept)
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def noted(self, question: Question, status: int, answer: dict[str, Any]) -> bool:
        """Remember it; whether the answer is lost."""
        lost = self.server.lose_answer(question, answer)
        exchange = Exchange(question=question, status=status, answer=answer, lost=lost)
        with self.server.lock:
            self.server.exchanges.append(exchange)
        return lost

    def answer(self, status: int, headers: dict[str, str], text: bytes) -> None:
        self.send_response(status)
        for name in ("Content-Type", "Retry-After"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """A running proxy to the site at this address."""
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
