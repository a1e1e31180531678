"""The demo's REST client, against a server of its own that answers as told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from pandasite.demo.client import TRIES, Client, Refused
from pandasite.demo.productions import PlannedJob, Production

PRODUCTION = Production(
    key="demo-w00001-test",
    title="a test",
    jobs=(PlannedJob(submission={"job_name": "a"}), PlannedJob(submission={"job_name": "b"})),
)
CREATED = (
    201,
    {"jobs": [{"panda_id": 4, "state": "defined"}, {"panda_id": 5, "state": "waiting"}]},
)
CUT = (0, None)  # the connection ends without an answer


@contextmanager
def server(*answers: tuple[int, Any]) -> Iterator[tuple[Client, list[dict[str, Any]]]]:
    """A server that gives these answers in turn, the last for ever; and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append({"path": self.path, **dict(self.headers), "body": json.loads(body)})
            status, answer = answers[min(len(asked), len(answers)) - 1]
            if not status:
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            url = f"http://127.0.0.1:{http.server_port}/"
            yield Client(url, "secret", pause=lambda _seconds: None), asked
        finally:
            http.shutdown()


def test_a_submission_gives_the_panda_ids_in_order() -> None:
    with server(CREATED) as (client, asked):
        assert client.submit(PRODUCTION) == [4, 5]

    assert asked[0]["path"] == "/rest/v1/jobs"
    assert asked[0]["Authorization"] == "Token secret"
    assert asked[0]["Idempotency-Key"] == "demo-w00001-test"
    assert asked[0]["body"] == PRODUCTION.body()


@pytest.mark.parametrize("hiccup", [CUT, (503, {}), (429, {}), (409, {})])
def test_a_try_without_a_verdict_is_repeated_with_the_same_key(hiccup: tuple[int, Any]) -> None:
    with server(hiccup, hiccup, CREATED) as (client, asked):
        assert client.submit(PRODUCTION) == [4, 5]

    assert len(asked) == 3
    assert len({question["Idempotency-Key"] for question in asked}) == 1


def test_a_refusal_is_not_repeated_and_says_why() -> None:
    problem = {"message": "unknown cloud", "fields": [{"message": "there is no cloud XX"}]}

    said = r"400: unknown cloud \(there is no cloud XX\)"
    with server((400, problem)) as (client, asked), pytest.raises(Refused, match=said):
        client.submit(PRODUCTION)

    assert len(asked) == 1


def test_a_server_that_stays_broken_is_given_up() -> None:
    broken = server((500, {"message": "oh"}))
    with broken as (client, asked), pytest.raises(Refused, match="500: oh"):
        client.submit(PRODUCTION)

    assert len(asked) == TRIES


def test_a_server_that_never_answers_is_given_up() -> None:
    with server(CUT) as (client, asked), pytest.raises(requests.ConnectionError):
        client.submit(PRODUCTION)

    assert len(asked) == TRIES
