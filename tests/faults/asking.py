"""One client of the site: asks over a connection that it keeps, and writes a history.

An answer that does not come leaves the question open; `insist` asks it again with the same key.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.faults.history import History, Op, Outcome, now

CLAIM = "/rest/v1/pilot/claim"
REPORT = "/rest/v1/pilot/report"
TRY_SECONDS = 20.0  # for one answer
GIVE_UP_SECONDS = 90.0
PAUSE = 0.05  # s between two tries
KEPT_SECONDS = 2.0  # an idle connection; the server ends it after 5 s, maybe as we speak


class GaveUp(AssertionError):
    """The site did not come to an answer in all that time."""


class Asker:
    """`say` is told of each try, in the history; use it from one thread."""

    def __init__(self, url: str, token: str, history: History) -> None:
        self.place = urlsplit(url).netloc
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self.history = history
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def ask(self, op: str, path: str, body: Mapping[str, Any], *, key: str) -> Op:
        """One try."""
        begun = now()
        headers = self.headers | {"Idempotency-Key": key}
        status, answer, retry_after = self._send(path, json.dumps(body).encode(), headers)
        done = Op(
            op=op,
            key=key,
            start=begun,
            end=now(),
            status=status,
            body=dict(body),
            answer=answer,
            retry_after=retry_after,
        )
        self.history.note(done)
        return done

    def insist(
        self,
        op: str,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str,
        next_key: Callable[[], str] | None = None,
    ) -> Op:
        """Try until there is an answer that says something; GaveUp when none comes.

        `next_key` is for controls: a client that takes another key for each try.
        """
        deadline = now() + GIVE_UP_SECONDS
        while (done := self.ask(op, path, body, key=key)).outcome is Outcome.UNKNOWN:
            if now() > deadline:
                raise GaveUp(f"{done}")
            time.sleep(PAUSE)
            key = next_key() if next_key else key
        return done

    def get(self, path: str) -> tuple[int, Any]:
        """A page or a row; not in the history. Status 0: no answer came."""
        return self._send(path, None, self.headers)[:2]

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _send(
        self, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any], str]:
        connection = self._connected()
        try:
            method = "GET" if content is None else "POST"
            connection.request(method, path, content, dict(headers))
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, {}, ""
        wait = response.headers.get("Retry-After", "")
        try:
            return response.status, json.loads(text), wait
        except ValueError:  # the web server's own words
            return response.status, {}, wait

    def _connected(self) -> http.client.HTTPConnection:
        if now() - self._used_at > KEPT_SECONDS:
            self.close()
        self._used_at = now()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.place, timeout=TRY_SECONDS)
        return self._connection
