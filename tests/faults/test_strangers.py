"""A8: bodies that are meant to hurt, at PanDA's own addresses of a real web server."""

from __future__ import annotations

import gzip
import socket
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.faults.books import Books
from tests.faults.site import FaultSite
from tests.flow.processes import below

pytestmark = pytest.mark.faults
PATH = "/server/panda/updateJob"
GROWTH = 100 * 1024 * 1024  # bytes of all web processes together
SLOW = 200  # sockets


def head(site: FaultSite, *lines: str) -> bytes:
    host = urlsplit(site.url).netloc
    text = [f"POST {PATH} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", *lines]
    return "\r\n".join([*text, "", ""]).encode()


def connect(site: FaultSite) -> socket.socket:
    parts = urlsplit(site.url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)


def memory(site: FaultSite) -> int:
    """What the web processes hold."""
    web = psutil.Process(site.pieces["web"].pid)
    return sum(process.memory_info().rss for process in [web, *below(web)])


def asks(site: FaultSite) -> int:
    """The status of a call that anybody may make."""
    url = site.url.rstrip("/") + "/api/v1/system/is_alive"
    return requests.get(url, timeout=10).status_code


@pytest.mark.parametrize("known", [False, True], ids=["strangers", "pilots of one site"])
def test_slow_bodies_keep_nobody_waiting(patient: Books, known: bool) -> None:
    site, token = patient.site, patient.place().token
    lines = ["Content-Length: 1000000", *([f"Authorization: Bearer {token}"] if known else [])]
    with ExitStack() as sockets:
        for _ in range(SLOW):
            slow = sockets.enter_context(connect(site))
            slow.sendall(head(site, *lines) + b"{")

        statuses = {asks(site) for _ in range(10)}

    assert statuses == {200}


def test_a_stream_without_an_end_is_not_read_to_its_end(patient: Books) -> None:
    site, token = patient.site, patient.place().token
    before = memory(site)
    with connect(site) as stream:
        stream.sendall(head(site, "Transfer-Encoding: chunked", f"Authorization: Bearer {token}"))
        sent = pour(stream, most=1024 * 1024 * 1024)

    assert sent < 256 * 1024 * 1024
    assert memory(site) - before < GROWTH
    assert asks(site) == 200


def pour(stream: socket.socket, *, most: int) -> int:
    """Send chunks until the server has enough of it; how many bytes it took."""
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    sent = 0
    try:
        while sent < most:
            stream.sendall(chunk)
            sent += len(chunk)
    except OSError:
        pass  # it has closed the connection, or reads no more
    return sent


def test_bombs_and_large_bodies_cost_no_memory(patient: Books) -> None:
    site, token = patient.site, patient.place().token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    bodies = {"bomb": gzip.compress(bytes(256 * 1024 * 1024)), "large": b" " * (3 * 1024 * 1024)}
    send(site, bodies["large"], headers)  # what a worker needs once
    before = memory(site)

    found = {send(site, body, headers) for _ in range(20) for body in bodies.values()}

    assert found == {413}
    assert memory(site) - before < GROWTH


def send(site: FaultSite, body: bytes, headers: dict[str, Any]) -> int:
    url = site.url.rstrip("/") + PATH
    return requests.post(url, data=body, headers=headers, timeout=30).status_code
