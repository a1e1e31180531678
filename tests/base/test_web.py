"""The web server: what it lets through to the site, and what it survives."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from pandasite.launcher import web

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prctl")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A web server without a database."""

    process: psutil.Popen
    port: int
    log: Path

    def ask(self, head: str, *, seconds: float = 60) -> str:
        """What comes back for the head of a request."""
        with self.connect() as connection:
            connection.settimeout(seconds)
            connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def lives(self) -> bool:
        return self.ask("GET /healthz/live HTTP/1.1").startswith("HTTP/1.1 200")

    def workers(self) -> set[psutil.Process]:
        return {*self.process.children()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("web") / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("w") as said:
        bind = f"fd://{listener.fileno()}"
        process = psutil.Popen(
            [sys.executable, "-m", "pandasite.launcher.web", "--bind", bind],
            cwd=settings.BASE_DIR,
            pass_fds=(listener.fileno(),),
            stdout=said,
            stderr=said,
        )
        yield Running(process=process, port=listener.getsockname()[1], log=log)
        process.terminate()
        assert process.wait(timeout=30) == 0


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1"


def test_an_address_of_ten_thousand_bytes_reaches_the_site(server: Running) -> None:
    assert " 200 " in server.ask(get("/healthz/live?" + "x" * 10_000)).splitlines()[0]
    assert " 414 " in server.ask(get("/healthz/live?" + "x" * 70_000)).splitlines()[0]


def test_headers_are_bounded_in_number_and_size(server: Running) -> None:
    many = "".join(f"\r\nX-{n}: y" for n in range(120))

    assert " 200 " in server.ask(get("/healthz/live") + "\r\nX-A: " + "y" * 8000).splitlines()[0]
    assert " 431 " in server.ask(get("/healthz/live") + many).splitlines()[0]
    assert " 431 " in server.ask(get("/healthz/live") + "\r\nX-A: " + "y" * 500_000).splitlines()[0]


def test_those_who_say_nothing_or_half_keep_nobody_waiting(server: Running) -> None:
    assert server.lives()
    with ExitStack() as silent:
        for n in range(400):
            connection = silent.enter_context(server.connect())
            if n % 2:
                connection.sendall(b"GET /healthz/live HTT")

        assert server.lives()


def test_a_killed_worker_comes_back_and_the_log_says_so_in_json(server: Running) -> None:
    assert server.lives()
    before = server.workers()

    for worker in before:
        worker.kill()

    assert server.lives()  # it waits in the socket, which they all share
    deadline = time.monotonic() + 60
    while not (len(server.workers()) == len(before) and before.isdisjoint(server.workers())):
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    events = [json.loads(line)["event"] for line in server.log.read_text().splitlines()]
    assert sum("Unexpected exit from worker" in event for event in events) == len(before)


def test_the_line_of_a_long_address_is_cut_in_the_log(server: Running) -> None:
    server.ask(get("/healthz/live?" + "z" * 10_000))

    lines = [line for line in server.log.read_text().splitlines() if "zzz" in line]
    assert lines and all(len(line) < 4000 for line in lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bind", "somewhere"], "--bind must look like 127.0.0.1:8000"),
        (["--bind", "fd://x"], "--bind fd://x names no socket that was handed on"),
        (["--bind", "fd://9999"], "--bind fd://9999 names no socket that was handed on"),
        (["--bind", "127.0.0.1:0", "--workers", "0"], "--workers must be between 1 and 64, not 0"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        web.main(words)

    assert said in capsys.readouterr().err


def test_a_worker_has_a_file_for_each_connection_that_it_accepts() -> None:
    soft = web.open_files()

    assert min(web.CONNECTIONS, soft - web.FILES_OF_OURS) + web.FILES_OF_OURS <= soft
    assert web.CONNECTIONS > 2 * web.THREADS


@pytest.mark.parametrize(
    ("limits", "found", "asked"),
    [
        ((1024, 524_288), 8192, [(8192, 524_288)]),
        ((1024, 4096), 4096, [(4096, 4096)]),
        ((1024, resource.RLIM_INFINITY), 8192, [(8192, resource.RLIM_INFINITY)]),
        ((20_000, 20_000), 8192, []),
        ((1024, 1024), 1024, []),
    ],
)
def test_as_many_files_are_asked_for_as_may_be_had(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    found: int,
    asked: list[tuple[int, int]],
) -> None:
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limits: said.append(limits))

    assert web.open_files() == found
    assert said == asked


def test_the_views_are_loaded_before_the_workers_fork() -> None:
    """Else each worker loads them at its first request, and one that replaces another is slow."""
    look = "import sys, pandasite.wsgi; print('jobs.api.pilot' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)

    assert answer.stdout == "True\n", answer.stderr


def test_no_worker_looks_for_garbage_in_what_was_there_before_it() -> None:
    """That is half a million objects: a page in seven would wait for it."""
    look = (
        "import gc; from pandasite.launcher import web\n"
        "left = lambda: len(gc.get_objects()) < gc.get_freeze_count() / 10\n"
        "web.Server.serve = lambda self, **how: print(left())\n"
        "web.main(['--bind', '127.0.0.1:0'])"
    )

    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)

    assert told.stdout == "True\n", told.stderr


def test_a_worker_that_has_missed_the_signal_ends_after_its_parent() -> None:
    """It would answer at the address of the next site."""
    family = (
        "import os; from pandasite.launcher import web; parent = os.getpid()\n"
        "if os.fork() == 0:\n    web.leave_after(parent)\n"
    )

    # The pipe is closed when the child has ended, too.
    told = subprocess.run([sys.executable, "-c", family], capture_output=True, timeout=60)

    assert (told.returncode, told.stderr) == (0, b"")
