"""The HTTP door: one POST, and the patience to repeat it until it has been answered.

The repeating is a loop of our own and not urllib3's Retry: it has to stop at once when the pilot
is asked to end or the job is killed, to read the waiting time from the problem body too, and to
be decided by what each verb makes of a 409.
"""

from __future__ import annotations

import json
import logging
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from pilot_client import VERSION
from pilot_client.errors import PilotEnds

log = logging.getLogger(__name__)

TIMEOUTS = (5.0, 15.0)  # s to connect, s without a byte; both fit into the 30 s of a stop
MAX_ANSWER_BYTES = 16 * 1024 * 1024  # a job of a few thousand files is a tenth of that
MAX_WAIT = 60.0
MAX_RETRY_AFTER = 600.0
EXIT_FORBIDDEN = 3
EXIT_REFUSED = 4
FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class NoAnswer(Exception):
    """Nobody knows whether the server did what it was asked: the answer did not arrive."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server said; `body` is the JSON object, `{}` if it was none."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def code(self) -> str:
        """The machine word of a refusal."""
        return str(self.body.get("code") or "")

    @property
    def ends_job(self) -> bool:
        """Whether the server wants the payload to end."""
        return self.body.get("command") == "tobekilled"

    @property
    def passing(self) -> bool:
        """Whether the same request may well be answered later."""
        return self.status in PASSING or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def __str__(self) -> str:
        message = str(self.body.get("message") or "")[:300]
        return f"{self.status} {self.code} {message}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A pandasite server, spoken to with the token of a file that is read for each request."""

    url: str
    token_file: Path

    def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send once. Raises NoAnswer if the answer is lost, PilotEnds for 401 and 403."""
        answer = self._send(f"{self.url.rstrip('/')}{path}", body, headers or {})
        if answer.status in FORBIDDEN:
            raise PilotEnds(f"the server refuses this pilot's token: {answer}", EXIT_FORBIDDEN)
        return answer

    def _send(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        # One session a request: beats are minutes apart, and a kept connection that the server
        # has closed meanwhile is the commonest way of losing an answer.
        try:
            with (
                requests.Session() as session,
                session.post(
                    url,
                    json=body,
                    headers={"User-Agent": f"pandasite-pilot/{VERSION}", **headers},
                    auth=TokenAuth(self.token()),
                    timeout=TIMEOUTS,
                    allow_redirects=False,  # the token goes to no other host
                    stream=True,
                ) as response,
            ):
                return read_answer(response)
        except requests.RequestException as error:
            raise NoAnswer(type(error).__name__) from error

    def token(self) -> str:
        """As the file has it now. Raises PilotEnds."""
        try:
            return self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise PilotEnds(
                f"cannot read the token file {self.token_file}: {type(error).__name__}",
                EXIT_FORBIDDEN,
            ) from error


class TokenAuth(requests.auth.AuthBase):
    """Sets the header as an auth object, since a plain header loses against a ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._token}"
        return request


def read_answer(response: requests.Response) -> Answer:
    """The bounded body as JSON; a 200 that is cut off or no object counts as lost."""
    received = bytearray()
    for chunk in response.iter_content(64 * 1024):
        received += chunk
        if len(received) > MAX_ANSWER_BYTES:
            raise NoAnswer(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    body = json_object(bytes(received))
    if body is None and response.status_code == HTTPStatus.OK:
        raise NoAnswer("a 200 that is no JSON object")
    return Answer(
        status=response.status_code,
        body=body or {},
        retry_after=seconds(response.headers.get("Retry-After")),
    )


def json_object(text: bytes) -> dict[str, Any] | None:
    """The JSON object, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def seconds(text: object) -> float | None:
    """A Retry-After in seconds, from 0 to MAX_RETRY_AFTER; the date form is not used by ours."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return None if math.isnan(value) else min(max(value, 0.0), MAX_RETRY_AFTER)


def waits(cap: float = MAX_WAIT) -> Iterator[float]:
    """Seconds before the next try: 0.5, 1, 2 … up to the cap, each jittered down to its half."""
    wait = 0.5
    while True:
        yield random.uniform(wait / 2, wait)
        wait = min(wait * 2, cap)


def jittered(wait: float) -> float:
    """At least the wait asked for, and up to a quarter more, so that pilots do not march."""
    return wait * random.uniform(1.0, 1.25)


def until_answered(
    ask: Callable[[], Answer],
    *,
    lost: Callable[[Answer], bool],
    pause: Callable[[float], None],
    what: str,
) -> Answer:
    """Ask again until an answer arrives that is not `lost`; `pause` waits or raises to give up."""
    for backoff in waits():
        wait = backoff
        try:
            answer = ask()
        except NoAnswer as error:
            reason = f"no answer ({error})"
        else:
            if not lost(answer):
                return answer
            reason = str(answer)
            wait = backoff if answer.retry_after is None else jittered(answer.retry_after)
        log.warning("%s: %s, asking again in %.1f s", what, reason, wait)
        pause(wait)
    raise AssertionError("waits() does not end")
