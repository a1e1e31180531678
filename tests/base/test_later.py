"""The web server takes the answer to a request from any thread, at any time; also as it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from django.conf import settings

from pandasite.launcher import web

# An application whose answers come when as many requests wait as the address says, or never.
# (Python can overlook a signal while a worker begins to serve: it is ready after the first answer.)
SITE = """
import os, socket, sys
from pandasite.base.later import LATER
from pandasite.launcher import web

waiting = []

def application(environ, start_response):
    waiting.append(environ.pop(LATER).take())
    if environ["PATH_INFO"] == "/never":
        waiting.clear()
    elif len(waiting) == int(environ["PATH_INFO"][1:]):
        print("all are here", flush=True)
        os.read(int(sys.argv[2]), 1)
        for nr, respond in enumerate(waiting):
            respond(200, [("X-Nr", str(nr))], b"later")
        waiting.clear()
    return []

web.let_answers_come_later()
listener = socket.socket(fileno=int(sys.argv[1]))
server = web.Server(listener, workers=1, connections=100)
server.serve(target_loader=lambda: application, wrap_loader=False)
"""


class Site:
    """A server of one worker, and where it is."""

    def __init__(self, process: psutil.Popen, port: int, gate: int) -> None:
        self.process, self.port, self._gate = process, port, gate
        self.is_ending = False

    def get(self, path: str) -> str:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return f"{answer.status} {answer.read().decode()} {answer.headers['X-Nr']}"
        except HTTPError as error:
            with error:
                return str(error.status)

    def end(self) -> None:
        """Tell it to, once: who ends hears no second signal."""
        if not self.is_ending:
            self.process.terminate()
        self.is_ending = True

    def await_all(self) -> None:
        """Until so many wait that it would answer."""
        while b"all are here" not in self.process.stdout.readline():
            pass

    def let_go(self) -> None:
        os.write(self._gate, b".")


@pytest.fixture
def site() -> Iterator[Site]:
    waits, gate = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        process = psutil.Popen(
            [sys.executable, "-c", SITE, str(listener.fileno()), str(waits)],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "pandasite.settings"},
            pass_fds=(listener.fileno(), waits),
            stdout=subprocess.PIPE,
        )
        with process.stdout:
            made = Site(process, listener.getsockname()[1], gate)
            made.let_go()
            assert made.get("/1") == "200 later 0"
            made.await_all()
            yield made
            made.end()
            assert process.wait(timeout=30) == 0
    os.close(waits)
    os.close(gate)


def test_more_requests_wait_than_there_are_threads_also_while_the_server_ends(site: Site) -> None:
    many = 3 * web.THREADS
    with ThreadPoolExecutor(many) as clients:
        asked = [clients.submit(site.get, f"/{many}") for _ in range(many)]
        site.await_all()

        site.end()
        site.let_go()

        answers = sorted(one.result(60) for one in asked)
    assert answers == sorted(f"200 later {nr}" for nr in range(many))


def test_a_request_that_nobody_answers_any_more_is_an_error(site: Site) -> None:
    assert site.get("/never") == "500"
