"""A storage that this node has not mounted: WebDAV with the site's own secret, or signed addresses.

For S3 the server signs an address for each file, good for that file alone and for some days, so
that no key of the storage ever comes to a worker node.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

import requests

from pilot_client.checksum import CHUNK

log = logging.getLogger(__name__)

TIMEOUTS = (5.0, 60.0)  # s to connect, s without a byte
SCHEMES = {"davs": "https", "dav": "http"}
OK, CREATED, NO_CONTENT, NOT_ALLOWED, CONFLICT, NOT_FOUND = 200, 201, 204, 405, 409, 404
LASTING = (401, 403, 405)  # what trying again does not help
FULL = 507


@dataclass(frozen=True, kw_only=True)
class Remote:
    """`url` of a WebDAV collection, empty where each file has a signed address of its own."""

    url: str = ""
    secret: Path | None = None

    def address(self, path: PurePosixPath, signed: str) -> str:
        """Where a file is."""
        return signed or f"{self.url}/{quote(str(path))}"

    @contextmanager
    def session(self) -> Iterator[requests.Session]:
        """A session with the secret, which is read anew each time; its proxies have no say."""
        with requests.Session() as session:
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            if self.url and self.secret is not None:
                _log_in(session, read_secret(self.secret))
            yield session

    def fetch(
        self, path: PurePosixPath, signed: str, *, into: Path, check: Callable[[], None]
    ) -> tuple[int, str]:
        """Bring a file; its size and adler32. FileNotFoundError, OSError."""
        with (
            _as_os_error(),
            self.session() as session,
            _ask(session, "GET", self.address(path, signed), stream=True) as answer,
            open(into, "xb") as file,
        ):
            _accept(answer, OK)
            size, adler32 = 0, 1
            for piece in answer.iter_content(CHUNK):
                check()
                file.write(piece)
                size += len(piece)
                adler32 = zlib.adler32(piece, adler32)
            return size, f"{adler32:08x}"

    def put(
        self, path: PurePosixPath, signed: str, source: BinaryIO, *, check: Callable[[], None]
    ) -> tuple[int, str]:
        """Store a file, whole or not at all; size and adler32 of what was sent. OSError."""
        body = Body(source, check)
        with _as_os_error(), self.session() as session:
            if signed:
                answer = _ask(session, "PUT", signed, data=body)
                _accept(answer, OK, CREATED)
                if answer.headers.get("ETag", "").strip('"') not in ("", body.md5.hexdigest()):
                    raise OSError(errno.EIO, "the storage has got other bytes than were sent")
            else:
                self._put_and_move(session, path, body)
        return body.size, f"{body.adler32:08x}"

    def _put_and_move(self, session: requests.Session, path: PurePosixPath, body: Body) -> None:
        _make(session, self.url, path.parent)
        part = f"{self.url}/{quote(str(path.parent))}/.{uuid.uuid4()}.part"
        with ExitStack() as failed:
            failed.callback(_discard, session, part)
            _accept(_ask(session, "PUT", part, data=body), OK, CREATED, NO_CONTENT)
            _compare(session, part, body)
            headers = {"Destination": self.address(path, ""), "Overwrite": "T"}
            _accept(_ask(session, "MOVE", part, headers=headers), OK, CREATED, NO_CONTENT)
            failed.pop_all()


class Body:
    """A file as the body of a request, summed up while it is sent."""

    def __init__(self, source: BinaryIO, check: Callable[[], None]) -> None:
        self.source, self.check = source, check
        source.seek(0, 2)
        self.length = source.tell()
        source.seek(0)
        self.size, self.adler32 = 0, 1
        self.md5 = hashlib.md5(usedforsecurity=False)

    def __len__(self) -> int:
        return self.length

    def read(self, size: int = CHUNK) -> bytes:
        """The next bytes, as requests asks for them."""
        self.check()
        piece = self.source.read(size)
        self.size += len(piece)
        self.adler32 = zlib.adler32(piece, self.adler32)
        self.md5.update(piece)
        return piece


def _compare(session: requests.Session, url: str, body: Body) -> None:
    """Read again what has arrived."""
    with _ask(session, "GET", url, stream=True) as answer:
        _accept(answer, OK)
        size, adler32 = 0, 1
        for piece in answer.iter_content(CHUNK):
            body.check()
            size += len(piece)
            adler32 = zlib.adler32(piece, adler32)
    if (size, adler32) != (body.size, body.adler32):
        raise OSError(errno.EIO, "the storage has got other bytes than were sent")


def _discard(session: requests.Session, part: str) -> None:
    """Remove what was not to be; what went wrong before counts, not that this does as well."""
    try:
        _ask(session, "DELETE", part)
    except requests.RequestException as error:
        log.warning("stage out: %s is left at the storage: %s", part, type(error).__name__)


def _make(session: requests.Session, base: str, folder: PurePosixPath) -> None:
    """Make the folder and those above it, as far as they are missing."""
    if folder == PurePosixPath("."):
        return
    answer = _ask(session, "MKCOL", f"{base}/{quote(str(folder))}")
    if answer.status_code in (CONFLICT, NOT_FOUND):
        _make(session, base, folder.parent)
        answer = _ask(session, "MKCOL", f"{base}/{quote(str(folder))}")
    _accept(answer, OK, CREATED, NOT_ALLOWED)


def _ask(
    session: requests.Session,
    method: str,
    url: str,
    *,
    stream: bool = False,
    data: Body | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    return session.request(
        method,
        url,
        stream=stream,
        data=data,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        timeout=TIMEOUTS,
        allow_redirects=False,
    )


def _accept(answer: requests.Response, *codes: int) -> None:
    """Raises an OSError for any other code; the text holds no address, which may be signed."""
    if answer.status_code in codes:
        return
    words = f"the storage answered {answer.status_code} {answer.reason}"[:200]
    if answer.status_code == NOT_FOUND:
        raise FileNotFoundError(errno.ENOENT, words)
    if answer.status_code in LASTING:
        raise PermissionError(errno.EACCES, words)
    raise OSError(errno.ENOSPC if answer.status_code == FULL else errno.EIO, words)


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except requests.Timeout as error:
        raise OSError(errno.ETIMEDOUT, "the storage timed out") from error
    except requests.RequestException as error:
        words = f"the storage cannot be reached: {type(error).__name__}"
        raise OSError(errno.EIO, words) from error


def read_secret(secret: Path) -> str:
    """The text of the secret. A PermissionError: it is this node's fault, and stays."""
    try:
        return secret.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = f"the secret of the storage, {secret}, cannot be read"
        raise PermissionError(errno.EACCES, words) from error


def _log_in(session: requests.Session, text: str) -> None:
    """`user:password`, or `bearer TOKEN`."""
    kind, _, token = text.partition(" ")
    if kind.lower() == "bearer":
        session.headers["Authorization"] = f"Bearer {token.strip()}"
        return
    user, _, password = text.partition(":")
    session.auth = (user, password)
