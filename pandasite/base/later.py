"""Answers for which no thread of the web server waits.

A server that can do without puts one of these into the environment of each request. Whoever takes
it answers from any thread, and whenever he likes; until then the server keeps the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

Respond = Callable[[int, Sequence[tuple[str, str]], bytes], object]  # status, headers, body
LATER: Final = "pandasite.later"  # its name in the environment


class Later:
    """In the place of `server`, to whom granian's WSGI tells the answer of a request.

    Once it is taken, what the application returns is no answer any more. Where nobody answers, the
    server does when it is forgotten: 500.
    """

    __slots__ = ("_is_taken", "_server")

    def __init__(self, server: Any) -> None:
        self._server = server
        self._is_taken = False

    def take(self) -> Respond:
        """What gives the answer, once."""
        self._is_taken = True
        respond: Respond = self._server.response_bytes
        return respond

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """What the application answers as a whole."""
        if not self._is_taken:
            self._server.response_bytes(status, headers, body)

    def response_iter(self, status: int, headers: Sequence[tuple[str, str]], body: Any) -> None:
        """What the application answers bit by bit."""
        self._server.response_iter(status, headers, body)
