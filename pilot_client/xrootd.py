"""A storage that is reached by root://, where the node has XRootD's own programs (xrdcp, xrdfs).

Bytes go through pipes, so that what was sent and what came is summed up here, and the pilot can end
it between two pieces. A token goes by the environment of the program, never on its command line.
"""

from __future__ import annotations

import errno
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from pilot_client.checksum import CHUNK
from pilot_client.remote import TIMEOUTS, Remote, read_secret

PROGRAMS = ("xrdcp", "xrdfs")
LOOK_SECONDS = 0.5
LIMITS = {
    "XRD_CONNECTIONWINDOW": "5",
    "XRD_CONNECTIONRETRY": "1",
    "XRD_REQUESTTIMEOUT": "60",
    "XRD_STREAMTIMEOUT": "60",
}
# What the server's numbers mean to who tries again or not; the texts are for people.
_ERRORS = (
    (errno.ENOENT, r"\[3011\]|no such file"),
    (errno.EACCES, r"\[30(10|25|30)\]|permission denied|auth failed"),
    (errno.ENOSPC, r"\[30(09|21)\]|no space left|quota"),
    (errno.ETIMEDOUT, r"expired|timeout"),
)


def missing() -> list[str]:
    """The programs that this node lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass(frozen=True, kw_only=True)
class XRootD(Remote):
    """`url` of a folder of an XRootD server."""

    def address(self, path: PurePosixPath, signed: str = "") -> str:
        """Where a file is, as xrdcp wants it."""
        server, folder = self._parts()
        return f"{server}/{folder}/{path}"

    def _parts(self) -> tuple[str, str]:
        """`root://host:port/`, and the folder there, which begins with a slash."""
        scheme, _, rest = self.url.partition("://")
        host, _, folder = rest.partition("/")
        return f"{scheme}://{host}/", f"/{folder.strip('/')}".rstrip("/")

    def fetch(
        self, path: PurePosixPath, signed: str, *, into: Path, check: Callable[[], None]
    ) -> tuple[int, str]:
        """Bring a file; its size and adler32. FileNotFoundError, OSError."""
        with open(into, "xb") as file:
            return self._read(path, check=check, into=file)

    def _read(
        self, path: PurePosixPath, *, check: Callable[[], None], into: BinaryIO | None = None
    ) -> tuple[int, str]:
        size, adler32 = 0, 1
        with self._running(["xrdcp", *QUIETLY, self.address(path), "-"], check) as (child, _into):
            for piece in _pieces(child.stdout, check):
                if into is not None:
                    into.write(piece)
                size += len(piece)
                adler32 = zlib.adler32(piece, adler32)
        return size, f"{adler32:08x}"

    def put(
        self, path: PurePosixPath, signed: str, source: BinaryIO, *, check: Callable[[], None]
    ) -> tuple[int, str]:
        """Store a file, whole or not at all; size and adler32 of what was sent. OSError."""
        part = path.with_name(f".{uuid.uuid4()}.part")
        source.seek(0)
        with ExitStack() as failed:
            failed.callback(self._forget, part)
            sent = self._send(source, part, check)
            if self._read(part, check=check) != sent:
                raise OSError(errno.EIO, "the storage has got other bytes than were sent")
            self._rename(part, path, check)
            failed.pop_all()
        return sent

    def _forget(self, part: PurePosixPath) -> None:
        with suppress(OSError):  # what went wrong before counts, not that this does as well
            self._deed("rm", part, check=lambda: None)

    def _send(
        self, source: BinaryIO, part: PurePosixPath, check: Callable[[], None]
    ) -> tuple[int, str]:
        size, adler32 = 0, 1
        words = ["xrdcp", *QUIETLY, "--path", "-", self.address(part)]
        with self._running(words, check) as (_child, into):
            while piece := source.read(CHUNK):
                size += len(piece)
                adler32 = zlib.adler32(piece, adler32)
                _push(into, piece, check)
        return size, f"{adler32:08x}"

    def _rename(self, part: PurePosixPath, path: PurePosixPath, check: Callable[[], None]) -> None:
        """A server that renames over nothing that is there has the older file removed first."""
        try:
            self._deed("mv", part, path, check=check)
        except OSError:
            with suppress(FileNotFoundError):
                self._deed("rm", path, check=check)
            self._deed("mv", part, path, check=check)

    def _deed(self, verb: str, *paths: PurePosixPath, check: Callable[[], None]) -> None:
        server, folder = self._parts()
        words = ["xrdfs", server, verb, *(f"{folder}/{path}" for path in paths)]
        with self._running(words, check):
            pass

    @contextmanager
    def _running(
        self, words: list[str], check: Callable[[], None]
    ) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """The program, and where its input goes; it has ended well when the block has."""
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self._environment(),
                start_new_session=True,
            )
            assert child.stdin is not None and child.stdout is not None
            try:
                with child.stdout:
                    os.set_blocking(child.stdin.fileno(), False)
                    with suppress(BrokenPipeError):  # it tells why it has ended
                        yield child, child.stdin.fileno()
                    child.stdin.close()
                    code = _end_of(child, check)
            finally:
                child.stdin.close()
                if child.poll() is None:
                    child.kill()
                    child.wait()
            if code:
                raise _error(said)

    def _environment(self) -> dict[str, str]:
        environment = os.environ | LIMITS
        if self.secret is None:
            return environment
        kind, _, token = read_secret(self.secret).partition(" ")
        if kind.lower() != "bearer" or not self.url.startswith("roots://"):
            words = "root:// takes a token only (bearer TOKEN), and that by roots:// only"
            raise PermissionError(errno.EACCES, words)
        return environment | {"BEARER_TOKEN": token.strip()}


QUIETLY = ("--nopbar", "--silent")


def _pieces(stdout: IO[bytes] | None, check: Callable[[], None]) -> Iterator[bytes]:
    assert stdout is not None
    while True:
        _await(stdout.fileno(), check, to_write=False)
        piece = os.read(stdout.fileno(), CHUNK)
        if not piece:
            return
        yield piece


def _push(into: int, piece: bytes, check: Callable[[], None]) -> None:
    view = memoryview(piece)
    while view:
        _await(into, check, to_write=True)
        view = view[os.write(into, view) :]


def _await(handle: int, check: Callable[[], None], *, to_write: bool) -> None:
    """Until the pipe is ready; `check` may raise meanwhile, and silence ends it."""
    until = time.monotonic() + TIMEOUTS[1]
    handles = ([], [handle]) if to_write else ([handle], [])
    while True:
        check()
        if any(select.select(*handles, [], LOOK_SECONDS)):
            return
        if time.monotonic() > until:
            raise OSError(errno.ETIMEDOUT, "the storage timed out")


def _end_of(child: subprocess.Popen[bytes], check: Callable[[], None]) -> int:
    until = time.monotonic() + TIMEOUTS[1]
    while True:
        check()
        try:
            return child.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > until:
                raise OSError(errno.ETIMEDOUT, "the storage timed out") from None


def _error(said: IO[bytes]) -> OSError:
    """What a program has said before it gave up, as an OSError."""
    said.seek(0)
    text = said.read(10_000).decode("utf-8", "replace").strip()
    last = re.sub(r"\?\S*", "", text.splitlines()[-1] if text else "no word why")[:200]
    found = (number for number, pattern in _ERRORS if re.search(pattern, text, re.IGNORECASE))
    # OSError makes itself a FileNotFoundError or a PermissionError by the number.
    return OSError(next(found, errno.EIO), f"the storage said: {last}")
