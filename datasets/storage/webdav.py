"""davs:// and dav://: WebDAV over HTTPS and HTTP."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import ParseError

import httpx
from webdav4.http import Method
from webdav4.multistatus import MultiStatusResponse

from datasets.storage import hosts
from datasets.storage.base import (
    Address,
    Copied,
    FileMissing,
    NoTape,
    SourceError,
    Space,
    StorageError,
    checked,
    is_part_of,
    part_name,
    summed,
    words,
)
from datasets.storage.http import as_storage_error, make_client, short_answer, status
from datasets.storage.secrets import Secret

SCHEMES = {"davs": "https", "dav": "http"}
OK, CREATED, NO_CONTENT, PARTIAL, MULTI = 200, 201, 204, 206, 207
NOT_FOUND, NOT_ALLOWED, CONFLICT, GONE = 404, 405, 409, 410
KNOWN_FOLDERS = 50_000
_QUOTA = (
    b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop>'
    b"<D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>"
)
_DIGEST = re.compile(r"adler32=([0-9a-f]{1,8})\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer that is no file."""

    code: int
    status: str
    body: bytes
    headers: Mapping[str, str]


class WebDAVPlace(NoTape):
    """A collection of a WebDAV server."""

    def __init__(self, address: Address, secret: Secret | None) -> None:
        scheme, _, rest = address.url.partition("://")
        self.address = address
        self.base = hosts.checked_url(f"{SCHEMES[scheme]}://{rest}").rstrip("/")
        self.client = make_client(secret)
        weakref.finalize(self, self.client.close)  # as s3fs does with its own
        self.folders: set[str] = set()
        self.tells_digest: bool | None = None

    def close(self) -> None:
        self.client.close()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"{self.base}/{quote(checked(path))}"

    @contextmanager
    def read(self, path: str, *, offset: int = 0) -> Iterator[Iterator[bytes]]:
        what = f"cannot read at {self.address}"
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with (
            _as_source_error(what),
            self.client.stream("GET", self.url(path), headers=headers) as answer,
        ):
            if answer.status_code in (NOT_FOUND, GONE):
                kind = FileMissing if self._answers(path) else SourceError
                raise kind(f"{what}: {status(answer)}")
            if answer.status_code != (PARTIAL if offset else OK):
                raise SourceError(f"{what}: {_refusal(answer)}")
            yield self._pieces(answer)

    def _pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        with _as_source_error(f"reading at {self.address} broke off"):
            yield from answer.iter_raw()

    def _answers(self, path: str) -> bool:
        """Whether the folder of the file's scope is there, on a server that speaks WebDAV."""
        try:
            return self.size(path.partition("/")[0]) is not None
        except StorageError:
            return False

    def size(self, path: str) -> int | None:
        what = f"cannot look at {self.address}"
        said = self.ask(Method.PROPFIND, path, what, headers={"Depth": "0"})
        if said.code in (NOT_FOUND, GONE):
            return None
        found = self._members(said, what)
        if not found:
            raise StorageError(f"{what}: unexpected answer, no file in it")
        return next(iter(found.values()))

    def _members(self, said: Said, what: str) -> dict[str, int]:
        """Sizes by name of what a PROPFIND answers with."""
        return {
            unquote(urlsplit(href).path).rstrip("/").rpartition("/")[2]: int(
                found.properties.content_length or 0
            )
            for href, found in _multistatus(said, what).responses.items()
        }

    def ask(
        self,
        method: str,
        path: str | None,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Said:
        """A request whose answer is short, of a path or (None) of the root.

        StorageError that begins with `what`.
        """
        url = self.base + "/" if path is None else self.url(path)
        with as_storage_error(what):
            request = self.client.build_request(method, url, headers=headers, content=content)
            answer = self.client.send(request, stream=True)
            try:
                body = short_answer(answer)
            except StorageError as error:
                raise StorageError(f"{what}: {error}") from error
            finally:
                answer.close()
        if answer.is_redirect or answer.status_code >= 500:
            raise StorageError(f"{what}: {_refusal(answer)}")
        return Said(
            code=answer.status_code, status=status(answer), body=body, headers=answer.headers
        )

    def arrive(self, path: str, *, tag: str, expected: Copied) -> WebDAVArrival:
        self._make(checked(path).rpartition("/")[0])
        return WebDAVArrival(self, path, tag, expected)

    def _make(self, folder: str) -> None:
        """Make the folder and those above it, as far as they are missing."""
        if not folder or folder in self.folders:
            return
        what = f"cannot write at {self.address}"
        said = self.ask(Method.MKCOL, folder, what)
        if said.code in (CONFLICT, NOT_FOUND):
            self._make(folder.rpartition("/")[0])
            said = self.ask(Method.MKCOL, folder, what)
        if said.code not in (OK, CREATED, NOT_ALLOWED):  # not allowed: it is there
            raise StorageError(f"{what}: {said.status}")
        if len(self.folders) > KNOWN_FOLDERS:
            self.folders.clear()
        self.folders.add(folder)

    def discard_old(self, path: str) -> None:
        folder = checked(path).rpartition("/")[0]
        what = f"cannot look at {self.address}"
        said = self.ask(Method.PROPFIND, folder, what, headers={"Depth": "1"})
        if said.code in (NOT_FOUND, GONE):
            self.folders.discard(folder)
            return
        for name in self._members(said, what):
            if is_part_of(name, path):
                self.remove(f"{folder}/{name}")

    def remove(self, path: str) -> None:
        what = f"cannot write at {self.address}"
        said = self.ask(Method.DELETE, path, what)
        if said.code not in (OK, NO_CONTENT, NOT_FOUND, GONE):
            raise StorageError(f"{what}: {said.status}")

    def space(self) -> Space | None:
        what = f"cannot look at {self.address}"
        headers = {"Depth": "0", "Content-Type": "application/xml"}
        said = self.ask(Method.PROPFIND, None, what, headers=headers, content=_QUOTA)
        tree = _multistatus(said, what).tree
        free, used = (tree.findtext(f".//{{DAV:}}quota-{n}-bytes") for n in ("available", "used"))
        if not (free and used and free.isdigit() and used.isdigit()):
            return None
        return Space(capacity=int(free) + int(used), used=int(used), said_by="quota")


class WebDAVArrival:
    """A part file, moved to its name at the end."""

    def __init__(self, place: WebDAVPlace, path: str, tag: str, expected: Copied) -> None:
        self.place, self.path, self.expected = place, path, expected
        self.part = part_name(path, tag)
        self.what = f"cannot write at {place.address}"

    def fill(self, pieces: Iterator[bytes]) -> None:
        headers = {"Content-Length": str(self.expected.size)}
        url = self.place.url(self.part)
        with as_storage_error(self.what):
            request = self.place.client.build_request("PUT", url, content=pieces, headers=headers)
            answer = self.place.client.send(request, stream=True)
            try:
                short_answer(answer)
            finally:
                answer.close()
        if answer.status_code not in (OK, CREATED, NO_CONTENT):
            self.place.folders.clear()  # one of them may have been removed
            raise StorageError(f"{self.what}: {_refusal(answer)}")

    def prove(self, expected: Copied) -> str:
        proof, found = "server", self._digest()
        if found is None:
            proof, found = "re-read", self._again()
        if found != expected:
            raise StorageError(
                f"what arrived at {self.place.address} is not what was sent: {found.size} bytes, "
                f"checksum {found.adler32}; {expected.size} and {expected.adler32} expected"
            )
        return proof

    def _digest(self) -> Copied | None:
        """What the server itself has summed up, if it does such things (RFC 3230)."""
        if self.place.tells_digest is False:
            return None
        said = self.place.ask("HEAD", self.part, self.what, headers={"Want-Digest": "adler32"})
        found = _DIGEST.search(said.headers.get("digest", ""))
        length = said.headers.get("content-length", "")
        self.place.tells_digest = bool(found and length.isdigit())
        if found is None or not length.isdigit():
            return None
        return Copied(size=int(length), adler32=found[1].lower().zfill(8))

    def _again(self) -> Copied:
        with self.place.read(self.part) as pieces:
            return summed(pieces)

    def publish(self) -> None:
        headers = {"Destination": self.place.url(self.path), "Overwrite": "T"}
        what = f"cannot name a file at {self.place.address}"
        said = self.place.ask(Method.MOVE, self.part, what, headers=headers)
        if said.code not in (OK, CREATED, NO_CONTENT):
            raise StorageError(f"{what}: {said.status}")

    def discard(self) -> None:
        self.place.remove(self.part)


def _refusal(answer: httpx.Response) -> str:
    if answer.is_redirect:
        return f"{status(answer)}: it redirects elsewhere, which is not followed"
    return status(answer)


@contextmanager
def _as_source_error(what: str) -> Iterator[None]:
    try:
        with as_storage_error(what):
            yield
    except SourceError:
        raise
    except StorageError as error:
        raise SourceError(str(error)) from error


def _multistatus(said: Said, what: str) -> MultiStatusResponse:
    if said.code != MULTI:
        raise StorageError(f"{what}: {said.status}, not a WebDAV answer")
    try:
        return MultiStatusResponse(said.body.decode())
    except (ParseError, UnicodeDecodeError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(f"{what}: not a WebDAV answer: {words(error)}") from error
