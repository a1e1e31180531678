"""From the address of a storage element to the place itself; a connection is kept for the next."""

from __future__ import annotations

import os
import threading
from typing import Any

from datasets.storage.base import Address, Place, StorageError
from datasets.storage.local import LocalPlace
from datasets.storage.secrets import Secret, read_secret

PROTOCOLS = ("dav", "davs", "file", "s3")
KEPT = 200  # open places of a process
_kept: dict[tuple[int, Address], tuple[Secret | None, Any]] = {}
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
        known = _kept.get(key)
        if known and known[0] == secret:
            return known[1]
        if known or len(_kept) >= KEPT:
            _close_all()
        place = _make(protocol, address, secret)
        _kept[key] = (secret, place)
        return place


def _make(protocol: str, address: Address, secret: Secret | None) -> Any:
    if protocol == "s3":
        from datasets.storage.s3 import S3Place  # a second of imports that few need

        return S3Place(address, secret)
    from datasets.storage.webdav import WebDAVPlace

    return WebDAVPlace(address, secret)


def close_places() -> None:
    """Close every connection that is kept."""
    with _lock:
        _close_all()


def _close_all() -> None:
    mine = os.getpid()
    for pid, address in list(_kept):
        _secret, place = _kept.pop((pid, address))
        if pid == mine:
            place.close()
