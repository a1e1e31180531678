"""Calls of ours to addresses that an administrator has named: as little trust as possible.

The name is resolved once, every address that it has is checked, and the connection goes to one of
those: an answer of the name service that changes in between changes nothing. No redirect is
followed, no proxy of the environment is used. The whole call has a time, and its answer a size.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

ANSWER_MAX = 64 * 1024  # bytes


class CallFailed(Exception):
    """It cannot be done, or was answered otherwise than with JSON and a 2xx; the text says how."""


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], private: bool, seconds: float
) -> Any:
    """POST JSON and give the decoded JSON of a 2xx answer; CallFailed for all else.

    Without `private` only https and only to addresses of the public internet.
    """
    said = {"Content-Type": "application/json", **headers}
    return _call(_Said("POST", body, said), url, private=private, seconds=seconds)


def get(url: str, *, private: bool, seconds: float) -> Any:
    """GET: the same otherwise."""
    said = _Said("GET", b"", {"Accept": "application/json"})
    return _call(said, url, private=private, seconds=seconds)


class _Said(NamedTuple):
    method: str
    body: bytes
    headers: Mapping[str, str]


def _call(said: _Said, url: str, *, private: bool, seconds: float) -> Any:
    end = time.monotonic() + seconds
    parts = _parts(url, private=private)
    family, address = _resolve(parts, private=private)
    wire = _connect(parts, family, address, seconds)
    # What drips in a byte at a time keeps every single read within its timeout.
    cut = threading.Event()
    alarm = threading.Timer(max(0.0, end - time.monotonic()), _cut, [wire, cut])
    alarm.start()
    too_long = f"{parts.netloc}: took more than {seconds:g} s"
    try:
        status, answer = _exchange(wire, parts, said)
        if cut.is_set():  # what there is ends where the wire was cut
            raise CallFailed(too_long)
    except (OSError, http.client.HTTPException) as error:
        why = f"{parts.netloc}: {str(error) or type(error).__name__}"
        raise CallFailed(too_long if cut.is_set() else why) from error
    finally:
        alarm.cancel()
        wire.close()
    if not 200 <= status < 300:
        raise CallFailed(f"{parts.netloc} answered {status}")
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise CallFailed(f"{parts.netloc} answered no JSON") from error


def _parts(url: str, *, private: bool) -> SplitResult:
    allowed = ("https", "http") if private else ("https",)
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError as error:
        raise CallFailed(f"the address cannot be read: {error}") from error
    if parts.scheme not in allowed:
        raise CallFailed(f"the address must be {' or '.join(allowed)}, not {parts.scheme}")
    if not parts.hostname or "@" in parts.netloc:
        raise CallFailed("the address must name a host, and no user")
    if not (parts.path + parts.query).isascii():
        raise CallFailed("the address must be in ASCII behind the host: write the rest as %XX")
    return parts


def _resolve(parts: SplitResult, *, private: bool) -> tuple[int, Any]:
    """The family and address to connect to; one bad address among several spoils all."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallFailed(f"{parts.hostname} cannot be resolved: {error}") from error
    for _family, _type, _proto, _name, address in found:
        if not private and not is_public(str(address[0])):
            raise CallFailed(f"{parts.hostname} is {address[0]}, which is no public address")
    family, *_, address = found[0]
    return family, address


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet.

    >>> is_public("127.0.0.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (False, False, False)
    >>> is_public("192.0.43.8")
    True
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        address = inner
    return address.is_global and not address.is_multicast


def _connect(parts: SplitResult, family: int, address: Any, seconds: float) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_STREAM)
    raw.settimeout(seconds)
    try:
        raw.connect(address)
        if parts.scheme != "https":
            return raw
        return ssl.create_default_context().wrap_socket(
            raw, server_hostname=parts.hostname, do_handshake_on_connect=False
        )
    except OSError as error:
        raw.close()
        raise CallFailed(f"{address[0]} port {address[1]}: {error.strerror or error}") from error


def _cut(wire: socket.socket, cut: threading.Event) -> None:
    cut.set()  # before the reader wakes up and asks
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended meanwhile


def _exchange(wire: socket.socket, parts: SplitResult, said: _Said) -> tuple[int, bytes]:
    if isinstance(wire, ssl.SSLSocket):
        wire.do_handshake()
    connection = http.client.HTTPConnection(parts.netloc)
    connection.sock = wire
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(said.method, path, said.body or None, dict(said.headers))
    with connection.getresponse() as answer:
        content = answer.read(ANSWER_MAX + 1)
    if len(content) > ANSWER_MAX:
        raise CallFailed(f"{parts.netloc} answered with more than {ANSWER_MAX} bytes")
    return answer.status, content
