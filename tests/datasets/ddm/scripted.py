"""A server in place of Rucio that answers as the test wants, and notes what it was asked."""

from __future__ import annotations

import json
from typing import Any

from tests.datasets.servers import Raw, says

CLOSE = "Connection: close\r\n"
TOKEN = says("200 OK", more=f"{CLOSE}X-Rucio-Auth-Token: canary-token\r\n")


def lines(*said: Any) -> Any:
    """A stream as Rucio sends it."""
    body = b"".join(json.dumps(one).encode() + b"\n" for one in said)
    return says("200 OK", body, CLOSE, "application/x-json-stream")


def refusal(status: str, kind: str, message: str = "so it is") -> Any:
    body = json.dumps({"ExceptionClass": kind, "ExceptionMessage": message}).encode()
    return says(status, body, CLOSE, "application/json")


def created() -> Any:
    return says("201 Created", b"Created", CLOSE, "text/html")


class Script:
    """Answers by the beginning of `METHOD path`; the longest one that fits counts."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"GET /auth/userpass": TOKEN}
        self.asked: list[str] = []

    def __call__(self, server: Raw, connection: Any, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        while len(body) < int(length or 0):
            body += connection.recv(65536)
        line = " ".join(head.split(b"\r\n")[0].decode().split()[:2])
        self.asked.append(line)
        fitting = [beginning for beginning in self.answers if line.startswith(beginning)]
        answer = self.answers[max(fitting, key=len)]
        (answer.pop(0) if isinstance(answer, list) else answer)(server, connection, request)
