"""Calls to addresses of administrators: A6, and servers that misbehave."""

from __future__ import annotations

import json
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pandasite.base.outbound import CallFailed, is_public, post

BLOCKED = {
    "metadata": "http://169.254.169.254/latest",
    "loopback": "https://127.0.0.1:{port}/",
    "loopback v6": "https://[::1]:{port}/",
    "hexadecimal": "https://0x7f000001:{port}/",
    "one number": "https://2130706433:{port}/",
    "user and host": "https://good.example@127.0.0.1:{port}/",
    "mapped": "https://[::ffff:127.0.0.1]:{port}/",
    "any": "https://0.0.0.0:{port}/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/",
    "plain http": "http://127.0.0.1:{port}/",
    "no host": "https:///x",
    "bad port": "https://example.org:99999/",
}


class Listener:
    """Answers each connection with what `answer` writes, and counts them."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                self.heard.append(_request(peer))
                try:
                    self._answer(peer)
                except OSError:
                    continue  # the caller hung up

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def _request(peer: socket.socket) -> bytes:
    """With its body: to close a connection with bytes unread resets it."""
    text = b""
    while not _whole(text) and (piece := peer.recv(65536)):
        text += piece
    return text


def _whole(text: bytes) -> bool:
    head, ended, body = text.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    return bool(ended) and len(body) >= (int(length[1]) if length else 0)


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[Listener]:
    listener = Listener(answer)
    try:
        yield listener
    finally:
        listener.close()


def says(status: str, body: bytes, *headers: str) -> Callable[[socket.socket], None]:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda peer: peer.sendall("\r\n".join(lines).encode() + body)


def endless(peer: socket.socket) -> None:
    """A gigabyte of JSON text, for who reads it."""
    peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"')
    for _ in range(1000):
        peer.sendall(b"x" * 1_000_000)


def dripping(peer: socket.socket) -> None:
    """A byte now and then, for ever."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    pause = threading.Event()
    while not pause.wait(0.05):
        peer.sendall(b"X")


def call(port: int, *, seconds: float = 5) -> object:
    return post(
        f"http://127.0.0.1:{port}/news", b"{}", headers={"X-A": "b"}, private=True, seconds=seconds
    )


def test_a_good_answer_is_given_as_json():
    with listening(says("200 OK", json.dumps({"a": 1}).encode())) as listener:
        assert call(listener.port) == {"a": 1}

    assert b"POST /news HTTP/1.1" in listener.heard[0]
    assert b"X-A: b" in listener.heard[0]


@pytest.mark.parametrize("name", BLOCKED)
def test_no_connection_is_made_to_an_address_that_is_not_public(name):
    with listening(says("200 OK", b"{}")) as listener:
        url = BLOCKED[name].format(port=listener.port)

        with pytest.raises(CallFailed):
            post(url, b"{}", headers={}, private=False, seconds=2)

    assert listener.heard == []


def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch):
    def resolve(host, port, **_):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("192.0.43.8", port)), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    with pytest.raises(CallFailed, match=r"127\.0\.0\.1, which is no public address"):
        post("https://good.example/", b"{}", headers={}, private=False, seconds=2)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    # given: a name service that changes its answer after the first question
    answers = [[("192.0.43.8", 443)], [("127.0.0.1", 443)]]
    asked, connected = [], []

    def resolve(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", a) for a in answers[len(asked) - 1]]

    def connect(self, address):
        connected.append(address)
        raise OSError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    # when
    with pytest.raises(CallFailed):
        post("https://good.example/", b"{}", headers={}, private=False, seconds=2)
    # then
    assert (len(asked), connected) == (1, [("192.0.43.8", 443)])


def test_a_redirect_is_not_followed():
    with listening(says("200 OK", b"{}")) as inner:
        away = says("307 Go", b"", f"Location: http://127.0.0.1:{inner.port}/")
        with listening(away) as listener, pytest.raises(CallFailed, match="answered 307"):
            call(listener.port)

    assert inner.heard == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(says("500 No", b"{}"), "answered 500", id="500"),
        pytest.param(says("200 OK", b"<html>Welcome"), "answered no JSON", id="HTML"),
        pytest.param(says("200 OK", b"[" * 60_000), "answered no JSON", id="deep"),
        pytest.param(lambda peer: None, "closed connection", id="nothing"),
        pytest.param(lambda peer: peer.sendall(b"SSH-2.0-x\r\n\r\n"), "SSH", id="another protocol"),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_what_it_is(answer, words):
    with listening(answer) as listener, pytest.raises(CallFailed, match=words):
        call(listener.port)


def test_a_gigabyte_is_not_read():
    with listening(endless) as listener:
        tracemalloc.start()
        with pytest.raises(CallFailed, match="more than 65536 bytes"):
            call(listener.port)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 10_000_000


def test_a_server_that_drips_is_left_when_the_time_is_over():
    with listening(dripping) as listener, pytest.raises(CallFailed, match=r"more than 0\.3 s"):
        call(listener.port, seconds=0.3)


def test_an_address_that_no_request_can_name_is_refused_in_words():
    with pytest.raises(CallFailed, match="in ASCII behind the host"):
        post("http://127.0.0.1:9/é", b"{}", headers={}, private=True, seconds=1)


def test_a_server_that_is_not_there_is_said_to_refuse():
    with listening(says("200 OK", b"")) as listener:
        port = listener.port

    with pytest.raises(CallFailed, match="refused"):
        call(port)


@pytest.mark.parametrize("text", ["10.0.0.1", "fe80::1%eth0", "224.0.0.1", "100.64.0.1", "x"])
def test_inner_addresses_are_not_public(text):
    assert not is_public(text)
