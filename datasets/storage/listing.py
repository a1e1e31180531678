"""What lies in a folder of a storage element: for checks, not for copies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from datasets.storage.base import Address, StorageError, words
from datasets.storage.local import LocalPlace
from datasets.storage.opening import open_place

if TYPE_CHECKING:
    from datasets.storage.s3 import S3Place
    from datasets.storage.webdav import WebDAVPlace
    from datasets.storage.xroot import XRootDPlace


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What lies in a folder: its name, whether it is a folder, bytes and time (s) of a file."""

    name: str
    is_folder: bool
    size: int = 0
    changed: float = 0.0


def entries(address: Address, folder: str) -> list[Entry]:
    """All of them by name; '' is the root. StorageError when it cannot be listed."""
    place: Any = open_place(address)
    if isinstance(place, LocalPlace):
        found: Iterable[Entry] = _local(place, folder)
    elif address.url.startswith("s3://"):
        found = _s3(place, folder)
    elif address.url.startswith(("dav://", "davs://")):
        found = _webdav(place, folder)
    elif address.url.startswith(("root://", "roots://")):
        found = _xroot(place, folder)
    else:
        raise StorageError(f"{address} cannot be listed: its protocol has no such thing here")
    return sorted(found, key=lambda one: one.name)


def _local(place: LocalPlace, folder: str) -> list[Entry]:
    full = place.full(folder) if folder else place.root
    try:
        return place.call(folder, lambda: _scanned(full))
    except OSError as error:
        raise StorageError(f"cannot list at {place.address}: {words(error)}") from error


def _scanned(full: str) -> list[Entry]:
    listed = []
    with os.scandir(full) as found:
        for one in found:
            if one.is_symlink():
                continue  # it leads elsewhere
            facts = one.stat(follow_symlinks=False)
            listed.append(
                Entry(
                    name=one.name,
                    is_folder=one.is_dir(follow_symlinks=False),
                    size=facts.st_size,
                    changed=facts.st_mtime,
                )
            )
    return listed


def _webdav(place: WebDAVPlace, folder: str) -> Iterator[Entry]:
    from webdav4.http import Method

    from datasets.storage.webdav import _multistatus

    what = f"cannot list at {place.address}"
    said = place.ask(Method.PROPFIND, folder or None, what, headers={"Depth": "1"})
    here = urlsplit(place.url(folder) if folder else place.base).path.rstrip("/")
    for href, found in _multistatus(said, what).responses.items():
        path = urlsplit(href).path.rstrip("/")
        if unquote(path) == unquote(here):
            continue  # the folder itself
        properties = found.properties
        changed = properties.modified
        yield Entry(
            name=unquote(path).rpartition("/")[2],
            is_folder=properties.collection is True,
            size=int(properties.content_length or 0),
            changed=changed.timestamp() if changed else 0.0,
        )


def _xroot(place: XRootDPlace, folder: str) -> Iterator[Entry]:
    from datasets.storage.xroot import IS_FOLDER

    for one in place.members(folder, what=f"cannot list at {place.address}"):
        facts = one.statinfo
        if facts is None:
            continue  # it went away meanwhile
        yield Entry(
            name=one.name,
            is_folder=bool(facts.flags & IS_FOLDER),
            size=int(facts.size),
            changed=float(facts.modtime),
        )


def _s3(place: S3Place, folder: str) -> Iterator[Entry]:
    from datasets.storage.s3 import ERRORS

    prefix = f"{place.key(folder)}/" if folder else f"{place.prefix}/".lstrip("/")
    more: dict[str, Any] = {}
    while True:
        try:
            said = place.call("list_objects_v2", Prefix=prefix, Delimiter="/", **more)
        except ERRORS as error:
            raise StorageError(f"cannot list at {place.address}: {words(error)}") from error
        for one in said.get("CommonPrefixes") or []:
            yield Entry(name=one["Prefix"].removeprefix(prefix).rstrip("/"), is_folder=True)
        for one in said.get("Contents") or []:
            yield Entry(
                name=one["Key"].removeprefix(prefix),
                is_folder=False,
                size=one["Size"],
                changed=one["LastModified"].timestamp(),
            )
        if not said.get("IsTruncated"):
            return
        more = {"ContinuationToken": said["NextContinuationToken"]}
