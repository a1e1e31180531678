"""An HTTP client for storage: bounded in time and memory, and only to hosts that may be asked."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx
from django.conf import settings
from httpcore._backends.sync import SyncBackend

from datasets.storage import heads, hosts
from datasets.storage.base import StorageError, words
from datasets.storage.secrets import Secret

logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request
CONNECT_SECONDS = 5.0
ANSWER_MAX = 4 * 1024 * 1024  # bytes of an answer that is not a file
_WORDS = {
    httpx.ConnectTimeout: "timed out while connecting",
    httpx.ReadTimeout: "timed out: no answer",
    httpx.WriteTimeout: "timed out: it takes no more bytes",
    httpx.PoolTimeout: "timed out: no connection is free",
}


class GuardedBackend(SyncBackend):
    """Looks at the address of each connection right before it is opened."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for ip in dict.fromkeys(hosts.addresses(host, port)):
            try:
                return heads.LimitedStream(
                    super().connect_tcp(ip, port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError(f"{host} has no address")


def seconds() -> float:
    """How long a storage may say nothing."""
    return float(settings.PANDASITE["STORAGE_TIMEOUT_SECONDS"])


def make_client(secret: Secret | None) -> httpx.Client:
    """A client with these credentials; it follows no redirect and no proxy of the environment."""
    transport = httpx.HTTPTransport(verify=tls_context(), trust_env=False)
    transport._pool._network_backend = GuardedBackend()  # httpx has no parameter for it
    auth = (secret.user, secret.password) if secret and secret.user else None
    headers = {"Accept-Encoding": "identity"}
    if secret and secret.token:
        headers["Authorization"] = f"Bearer {secret.token}"
    return httpx.Client(
        transport=transport,
        auth=auth,
        headers=headers,
        timeout=httpx.Timeout(seconds(), connect=CONNECT_SECONDS),
        event_hooks={"request": [lambda request: heads.limit(request, seconds=seconds())]},
        follow_redirects=False,
        trust_env=False,
    )


def tls_context() -> ssl.SSLContext:
    """The certificates of the system, and those of PANDASITE_STORAGE_CA besides."""
    context = ssl.create_default_context()
    more = settings.PANDASITE_STORAGE_CA
    if more:
        try:
            context.load_verify_locations(capath=more) if os.path.isdir(
                more
            ) else context.load_verify_locations(cafile=more)
        except (OSError, ssl.SSLError) as error:
            raise StorageError(f"PANDASITE_STORAGE_CA {more}: {words(error)}") from error
    return context


@contextmanager
def as_storage_error(what: str) -> Iterator[None]:
    """What the network did wrong, as a StorageError that begins with `what`."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise StorageError(f"{what}: {_WORDS.get(type(error), 'timed out')}") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, socket.gaierror) as error:
        raise StorageError(f"{what}: {words(error)}") from error


def short_answer(response: httpx.Response) -> bytes:
    """The body of an answer that is no file, which must be short and quick."""
    body, until = bytearray(), time.monotonic() + seconds()
    for piece in response.iter_raw():
        body += piece
        if len(body) > ANSWER_MAX:
            raise StorageError(f"unexpected answer: more bytes than {ANSWER_MAX}")
        if time.monotonic() > until:
            raise StorageError("timed out: too slow an answer")
    return bytes(body)


def status(response: httpx.Response) -> str:
    """A status as an error says it."""
    return f"{response.status_code} {response.reason_phrase}".strip()
