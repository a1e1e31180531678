"""A small server that speaks the pilot's wire, and breaks its promises when told to."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CLAIM = "/rest/v1/pilot/claim"
REPORT = "/rest/v1/pilot/report"

# A fault stands for one request: a status with its body, or one of these words.
DROP_UNSEEN = "the request is lost"
DROP_ANSWER = "done, but the answer is lost"
Fault = str | tuple[int, dict[str, str], dict[str, Any]]


class FakeServer(ThreadingHTTPServer):
    """Keeps the promises of the wire that the pilot rests on, and breaks them when told to."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.jobs: deque[dict[str, Any]] = deque()
        self.by_key: dict[str, dict[str, Any]] = {}
        self.claims: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.tokens: set[str] = set()
        self.reports: list[dict[str, Any]] = []
        self.faults: dict[str, deque[Fault]] = {CLAIM: deque(), REPORT: deque()}
        self.killed: set[int] = set()
        self.cancelled: set[int] = set()
        self.stale: set[int] = set()
        self.refuses: Callable[[dict[str, Any]], bool] = lambda body: False
        self.is_down_for: Callable[[dict[str, Any]], bool] = lambda body: False
        self.retry_after = 0.2
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed pilot hangs up in the middle of an answer; anything else is a fault."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def claim(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.keys.append(key)
        self.claims.append(body)
        if key not in self.by_key:
            job = self.jobs.popleft() if self.jobs else None
            empty = {"job": None, "retry_after": self.retry_after, "reason": "no_job"}
            self.by_key[key] = {"job": job} if job else empty
        return 200, self.by_key[key]

    def report(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.reports.append(body)
        if body["panda_id"] in self.stale:
            return 409, {"code": "stale_lease", "command": "tobekilled"}
        if self.refuses(body):
            return 422, {"code": "missing_outputs", "message": "no"}
        state, command = body["state"], None
        if body["panda_id"] in self.cancelled:
            state, command = "cancelled", "tobekilled"
        elif body["panda_id"] in self.killed:
            command = "tobekilled"
        return 200, {"panda_id": body["panda_id"], "state": state, "command": command}

    def states(self) -> list[str]:
        return [report["state"] for report in self.reports]

    def final(self) -> dict[str, Any]:
        """The one final report."""
        finals = self.finals()
        assert len(finals) == 1, self.states()
        return finals[0]

    def heard(self, state: str) -> Callable[[], bool]:
        """Whether a report of this state has come, as a question to wait for."""
        return lambda: state in self.states()

    def finals(self) -> list[dict[str, Any]]:
        return [one for one in self.reports if is_final(one)]


class Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.tokens.add(self.headers["Authorization"])
            fault = server.faults[self.path].popleft() if server.faults[self.path] else None
            if fault is not None and fault != DROP_ANSWER:
                self.fail(fault)
                return
            if self.path == CLAIM:
                status, answer = server.claim(self.headers["Idempotency-Key"], body)
            elif server.is_down_for(body):
                status, answer = 503, {"code": "unavailable"}
            else:
                status, answer = server.report(body)
        if fault == DROP_ANSWER:
            self.close_connection = True
            return
        self.answer(status, {}, answer)

    def fail(self, fault: Fault) -> None:
        if isinstance(fault, str):
            self.close_connection = True
            return
        if self.path == CLAIM:
            self.server.keys.append(self.headers["Idempotency-Key"])
        self.answer(*fault)

    def answer(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def is_final(report: dict[str, Any]) -> bool:
    return report["state"] in ("finished", "failed")


@contextmanager
def serving(port: int = 0) -> Iterator[FakeServer]:
    """A running server; on a given port it takes the place of an earlier one."""
    server = FakeServer(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
