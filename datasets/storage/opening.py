"""From the address of a storage element to the place itself; a connection is kept for the next.

A place that is kept no longer may still be in use, by another thread: it hangs up by itself when
nobody holds it any more.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from datasets.storage.base import Address, Place, StorageError
from datasets.storage.local import LocalPlace
from datasets.storage.secrets import Secret, read_secret

PROTOCOLS = ("dav", "davs", "file", "root", "roots", "s3")
KEPT = 200  # open places of a process
_kept: dict[tuple[int, Address], tuple[Secret | None, Any]] = {}  # lately used ones are last
_lock = threading.Lock()


def open_place(address: Address | str) -> Place:
    """The place of an address. StorageError for one that cannot be opened."""
    if isinstance(address, str):
        address = Address(url=address)
    protocol, separator, rest = address.url.partition("://")
    if not separator or protocol not in PROTOCOLS:
        raise StorageError(f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}")
    if ".." in rest.split("/"):
        raise StorageError("an address must not go up by '..'")
    if protocol == "file":
        return LocalPlace(address)
    return _remote(protocol, address)


def _remote(protocol: str, address: Address) -> Place:
    """A place with connections, made once per process; anew when the secret has changed."""
    secret = read_secret(address.secret)
    key = (os.getpid(), address)
    with _lock:
        known = _kept.pop(key, None)
        if known is None or known[0] != secret:
            known = secret, _make(protocol, address, secret)
        _kept[key] = known  # last: the first has gone unused for longest
        while len(_kept) > KEPT:
            del _kept[next(iter(_kept))]
        return known[1]


def _make(protocol: str, address: Address, secret: Secret | None) -> Any:
    if protocol == "s3":
        from datasets.storage.s3 import S3Place  # a second of imports that few need

        return S3Place(address, secret)
    if protocol in ("root", "roots"):
        from datasets.storage.xroot import XRootDPlace

        return XRootDPlace(address, secret)
    from datasets.storage.webdav import WebDAVPlace

    return WebDAVPlace(address, secret)


def close_places() -> None:
    """Close every connection that is kept. For who is alone: others may be using them."""
    mine = os.getpid()
    with _lock:
        for pid, address in list(_kept):
            _secret, place = _kept.pop((pid, address))
            if pid == mine:
                place.close()
