"""The way to the server: `/rest/v1` by requests.

What changes something twice when it is sent twice is sent once. What may be repeated (reading,
what carries an Idempotency-Key, and requests whose repetition the server knows by their name) is
tried again when the answer is lost or the server is away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from pandasite.cli.account import Account
from pandasite.cli.errors import CommandError, Refused, Unreachable

PAUSES = (0.5, 1.5, 4.0)  # s between the tries of what may be repeated
TIMEOUT = (10.0, 60.0)  # s to connect, and between two pieces of the answer
AWAY = (502, 503, 504)
ONE_FILE = "replicas_away"  # the server is there, but not the storage of what was asked for
LONGEST_PAUSE = 30.0
LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
rest: Callable[[float], None] = time.sleep  # tests do not wait


class _Token(AuthBase):
    """In the place of what a .netrc might say."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self.token}"
        return request


class Door:
    """A connection to the server, to be closed."""

    def __init__(self, account: Account) -> None:
        self.url = account.url
        self._session = requests.Session()
        self._session.auth = _Token(account.token)
        self._session.headers.update({"Accept": "application/json, application/octet-stream"})
        self._session.headers["Accept-Encoding"] = "identity"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """What is at an address below /rest/v1/."""
        return self._json("GET", path, again=True, params=given(params))

    def post(
        self, path: str, body: Mapping[str, Any], *, key: str = "", again: bool = False
    ) -> dict[str, Any]:
        """Send once; with a key, or when it is known that twice is as once, until it is heard."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._json("POST", path, again=again or bool(key), json=body, headers=headers)

    def put(self, path: str, content: Callable[[], Any], **params: str) -> dict[str, Any]:
        """Send the bytes of a file; `content` opens them anew for each try."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._json("PUT", path, again=True, body=content, params=params, headers=headers)

    def content(self, path: str) -> requests.Response:
        """The answer of an address with bytes, to be read piece by piece and closed."""
        return self._send("GET", path, again=True, stream=True)

    def _json(self, method: str, path: str, *, again: bool, **more: Any) -> dict[str, Any]:
        answer = self._send(method, path, again=again, **more)
        try:
            found = answer.json()
        except (ValueError, requests.RequestException) as error:
            raise self._stranger(answer) from error
        if not isinstance(found, dict):
            raise self._stranger(answer)
        return found

    def _send(self, method: str, path: str, *, again: bool, **more: Any) -> requests.Response:
        """A good answer; Refused, or Unreachable once there is no point in trying again."""
        body = more.pop("body", None)
        for pause in (*PAUSES, None) if again else (None,):
            try:
                if body is not None:
                    more["data"] = body()
                answer = self._session.request(
                    method,
                    f"{self.url}/rest/v1/{path}",
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    **more,
                )
            except LOST as error:
                if pause is None:
                    raise self._lost(error, again=again) from error
                rest(pause)
                continue
            except (requests.RequestException, UnicodeError) as error:
                raise Unreachable(f"{self.url}: {error}") from error
            if answer.status_code in AWAY and pause is not None:
                answer.close()
                rest(_asked_pause(answer, pause))
                continue
            if answer.status_code >= 300:
                raise self._refusal(answer)
            return answer
        raise AssertionError("the last try either answers or raises")

    def _refusal(self, answer: requests.Response) -> CommandError:
        """What a status that is not good means."""
        with answer:
            if 300 <= answer.status_code < 400:
                place = answer.headers.get("Location", "elsewhere")
                words = f"{self.url} sends on to {place[:200]}: log in with the address itself"
                return Unreachable(words)
            try:
                problem = answer.json()
            except (ValueError, requests.RequestException):
                problem = None
            if not isinstance(problem, dict) or "message" not in problem:
                return self._stranger(answer)
            if answer.status_code in AWAY and problem.get("code") != ONE_FILE:
                return Unreachable(f"{self.url} is away: {problem['message']}")
            return Refused(status=answer.status_code, problem=problem)

    def _stranger(self, answer: requests.Response) -> Unreachable:
        kind = answer.headers.get("Content-Type", "nothing").partition(";")[0][:80]
        return Unreachable(
            f"{self.url} answers {answer.status_code} with {kind}: that is no answer of pandasite"
        )

    def _lost(self, error: Exception, *, again: bool) -> Unreachable:
        never_sent = isinstance(error, requests.ConnectTimeout) or "NewConnection" in str(error)
        words = f"cannot reach {self.url}" if never_sent else f"{self.url} gave no answer"
        lines = [str(error)[:300]]
        if not (again or never_sent):
            lines.append("It may have been done all the same: look before you ask once more.")
        return Unreachable(words, lines=lines)


def _asked_pause(answer: requests.Response, pause: float) -> float:
    """As long as the server asks for, within reason."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else pause


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in params.items() if value not in (None, "")}


def part(name: str) -> str:
    """A name as a part of an address; a dataset's may have slashes."""
    return quote(name, safe="/")
