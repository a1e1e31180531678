"""XRootD's own client: set up so that nothing waits for long, and its errors in words."""

from __future__ import annotations

import atexit
import gc
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from datasets.storage.base import CHUNK, StorageError
from datasets.storage.http import CONNECT_SECONDS, seconds

NOT_INSTALLED = (
    "root:// needs the XRootD client, which is not installed here (pip install pandasite[xrootd])"
)
SYSTEM_CERTIFICATES = ("/etc/grid-security/certificates", "/etc/ssl/certs")
# What the server answers (kXR_...); the texts are what datasets/reasons.py knows.
FULL, DENIED, NOT_FOUND, UNSUPPORTED, EXISTS, OVER_QUOTA = 3009, 3010, 3011, 3013, 3018, 3021
_SERVER = {
    FULL: "no space left",
    DENIED: "permission denied",
    NOT_FOUND: "no such file",
    OVER_QUOTA: "no space left within the quota",
    3024: "503: it is overloaded",
    3025: "read-only",
    3030: "permission denied",
}
_AWAY = {
    101: "name or service not known",
    102: "connection closed: no XRootD server answers there",
    103: "timed out: no answer",
    104: "connection closed",
    107: "connection closed",
    108: "connection failed",
    202: "connection failed: no XRootD server answers there",
    206: "timed out: no answer",
}
_CLIENT = _AWAY | {
    110: "TLS failed: its certificate is not one that is trusted here, or it has none",
    203: "permission denied: it lets us not log in",
    204: "permission denied: no credentials that it takes",
    306: "it redirects elsewhere, which is not followed",
}
SERVER_ANSWER = 400
STRIDE = 256 * 1024  # bytes to begin with; at the least rate they come within the patience
_prepared: set[int] = set()
_lock = threading.Lock()


def library() -> Any:
    """The client's module, set up in this process. StorageError where it is not installed."""
    try:
        from XRootD import client
    except ImportError as error:
        raise StorageError(NOT_INSTALLED) from error
    with _lock:
        if os.getpid() not in _prepared:
            _end_in_our_way(client)
            _prepare(client)
            _prepared.add(os.getpid())
    return client


def _end_in_our_way(client: Any) -> None:
    """The client asks each object of the process at its exit whether it is an open file.

    Django's lazy objects are made by that: they ask a database that is gone, or fail, and then the
    client's threads are not stopped. Of ours each is asked for its type alone.
    """
    atexit.unregister(client.finalize.finalize)
    atexit.unregister(_end)
    atexit.register(_end, client)


def _end(client: Any) -> None:
    for one in gc.get_objects():
        if issubclass(type(one), client.File) and one.is_open():
            one.close()
    client.finalize.client.__XrdCl_Stop_Threads()


def patience() -> int:
    """How long (s) a server may take for an answer."""
    return max(1, int(seconds()))


class Stride:
    """How many bytes to ask for at a time: so many as have come in a quarter of the patience.

    The client tells nothing before all of them are there: by this a slow server is waited for, and
    one that says no more is given up after the patience.
    """

    def __init__(self) -> None:
        self.size = STRIDE

    @contextmanager
    def timed(self) -> Iterator[None]:
        """While so many bytes are on their way."""
        begun = time.monotonic()
        yield
        rate = self.size / max(time.monotonic() - begun, 0.001)
        self.size = max(STRIDE, min(CHUNK, int(rate * patience() / 4)))

    def cut(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, at most so many at a time."""
        for piece in pieces:
            at = 0
            while at < len(piece):
                some = piece[at : at + self.size]
                yield some
                at += len(some)


def _prepare(client: Any) -> None:
    """A server that was away is asked again at once; a variable XRD_... goes before these."""
    _trust()
    for name, value in {
        "ConnectionWindow": int(CONNECT_SECONDS),
        "ConnectionRetry": 1,
        "RequestTimeout": patience(),
        "StreamTimeout": patience(),
        "StreamErrorWindow": 0,
        "TimeoutResolution": 1,
        "RedirectLimit": 16 if settings.PANDASITE_STORAGE_REDIRECTS else 0,
    }.items():
        client.EnvPutInt(name, value)


def _trust() -> None:
    """Where the client looks for certificates, unless its own variables say so."""
    more = settings.PANDASITE_STORAGE_CA
    if more and not os.path.isdir(more):
        os.environ.setdefault("X509_CERT_FILE", more)
    folders = (more, *SYSTEM_CERTIFICATES)
    if known := next((path for path in folders if path and os.path.isdir(path)), None):
        os.environ.setdefault("X509_CERT_DIR", known)


def words(status: Any) -> str:
    """What went wrong; what stands behind a question mark may be a token, and is left out."""
    told = re.sub(r"\?\S*", "", str(status.message)).strip()
    if status.code != SERVER_ANSWER:
        return _CLIENT.get(status.code) or re.sub(r"^\[\w+\]\s*", "", told)[:300]
    told = re.sub(r"^.*?\[\d+\]\s*", "", told, flags=re.DOTALL)[:300]
    said = _SERVER.get(status.errno, "")
    return told if said in told.lower() else f"{said}: {told}"


def is_missing(status: Any) -> bool:
    """Whether the server says that there is no such thing."""
    return bool(status.code == SERVER_ANSWER and status.errno == NOT_FOUND)


def is_away(status: Any) -> bool:
    """Whether nobody has answered, so that another address of the server may."""
    return status.code in _AWAY
