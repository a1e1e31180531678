"""Submits productions over REST, as any user's client does."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from pandasite.demo.productions import Production

TIMEOUT = 20  # s per request
TRIES = 10
PAUSE = 1.0  # s between tries


class Refused(Exception):
    """The server understood and said no; the text is its reason."""


class Client:
    """A user's session with the server. `pause` is called between tries, with seconds."""

    def __init__(
        self, url: str, token: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.url = url.rstrip("/")
        self.pause = pause
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {token}"

    def submit(self, production: Production) -> list[int]:
        """Submit all of it, once: a repeat after a lost answer gives the same PandaIDs.

        Raises Refused, or requests.RequestException when no answer comes.
        """
        answer = self.post(
            "/rest/v1/jobs", production.body(), headers={"Idempotency-Key": production.key}
        )
        return [int(job["panda_id"]) for job in answer["jobs"]]

    def post(self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str]) -> Any:
        """Post until there is an answer that says something; its JSON."""
        for left in reversed(range(TRIES)):
            try:
                answer = self.session.post(
                    self.url + path, json=body, headers=headers, timeout=TIMEOUT
                )
            except requests.ConnectionError:
                if not left:
                    raise
            else:
                if not left or not passing(answer.status_code):
                    return content(answer)
            self.pause(PAUSE)
        raise AssertionError("the last try returns or raises")


def passing(status: int) -> bool:
    """Whether the same request may do better in a moment."""
    return status in (409, 429) or status >= 500


def content(answer: requests.Response) -> Any:
    """The JSON of a success; Refused with the words of a problem."""
    if answer.ok:
        return answer.json()
    try:
        problem = answer.json()
    except requests.JSONDecodeError:
        problem = {}
    words = problem.get("message") or answer.text[:200]
    fields = "; ".join(str(field.get("message")) for field in problem.get("fields", [])[:5])
    raise Refused(
        f"the server answers {answer.status_code}: {words}" + f" ({fields})" * bool(fields)
    )
