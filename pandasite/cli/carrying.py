"""Bringing a file here or there: whole or not at all, proven by size and adler32."""

from __future__ import annotations

import fcntl
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests

from pandasite.cli import door as connection
from pandasite.cli.door import LOST, PAUSES, Door, part
from pandasite.cli.errors import CommandError, Unreachable

PIECE = 1024 * 1024  # bytes
# What the catalogue calls a file becomes one here: nothing that leads out of the folder.
LFN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,249}")
Moved = Callable[[int], None]  # told of bytes that have moved; fewer than 0: they do again


@dataclass(frozen=True, kw_only=True)
class Sum:
    """What a content is known by."""

    size: int
    adler32: str

    def __str__(self) -> str:
        return f"{self.size} bytes, adler32 {self.adler32}"


def sum_of(file: Path) -> Sum:
    """Read it through."""
    size, value = 0, 1
    with file.open("rb") as content:
        while piece := content.read(PIECE):
            size += len(piece)
            value = zlib.adler32(piece, value)
    return Sum(size=size, adler32=f"{value:08x}")


def is_there(target: Path, wanted: Sum) -> bool:
    """Whether the file has come already, whole."""
    try:
        if target.stat().st_size != wanted.size:
            return False
    except FileNotFoundError:
        return False
    return sum_of(target) == wanted


def fetch(door: Door, known: Mapping[str, Any], folder: Path, *, moved: Moved) -> bool:
    """Bring a file of the catalogue into a folder; False when it was there. Raises CommandError."""
    name = f"{known['scope']}:{known['lfn']}"
    if not LFN.fullmatch(known["lfn"]) or ".." in known["lfn"]:
        raise CommandError(f"{name} is no name for a file here")
    wanted = Sum(size=known["size"], adler32=known["adler32"])
    target = folder / known["lfn"]
    if is_there(target, wanted):
        moved(wanted.size)
        return False
    path = f"files/{part(known['scope'])}/{part(known['lfn'])}/content"
    with _arriving(target) as file:
        _receive_all(door, path, file, name=name, wanted=wanted, moved=moved)
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, target)
    return True


def _receive_all(
    door: Door, path: str, file: IO[bytes], *, name: str, wanted: Sum, moved: Moved
) -> None:
    """Until it is what it should be, within reason: CommandError."""
    for pause in (*PAUSES, None):
        try:
            got = _receive(door, path, file, moved=moved)
        except LOST as error:
            if pause is None:
                raise Unreachable(f"{name} was cut off, again and again: {error}") from error
            connection.rest(pause)
            continue
        if got == wanted:
            return
        moved(-got.size)
        if pause is None:
            raise CommandError(f"{name} came as {got}; it should be {wanted}")


def _receive(door: Door, path: str, file: IO[bytes], *, moved: Moved) -> Sum:
    """Write the content, and say what it was."""
    file.seek(0)
    file.truncate()
    size, value = 0, 1
    try:
        with door.content(path) as answer:
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                size += len(piece)
                value = zlib.adler32(piece, value)
                moved(len(piece))
    except requests.RequestException:
        moved(-size)
        raise
    return Sum(size=size, adler32=f"{value:08x}")


@contextmanager
def _arriving(target: Path) -> Iterator[IO[bytes]]:
    """A hidden file beside the target, held by one process, and gone afterwards."""
    part_file = target.with_name(f".{target.name}.part")
    try:
        file = part_file.open("ab")
    except OSError as error:
        raise CommandError(f"{part_file} cannot be written: {error.strerror}") from error
    with file:
        if not _held(file):
            raise CommandError(f"another process is bringing {target}")
        try:
            yield file
        except OSError as error:
            if isinstance(error, requests.RequestException):
                raise
            raise CommandError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            if _is_called(file):  # else it is the target by now
                part_file.unlink()


def _held(file: IO[bytes]) -> bool:
    """Whether it is ours alone, and nobody made it the target between opening and holding it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_called(file)


def _is_called(file: IO[bytes]) -> bool:
    """Whether its name still leads to it."""
    try:
        return os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


class _Outgoing:
    """A file on its way: has a length, so that the server knows how much is to come."""

    def __init__(self, file: IO[bytes], size: int, moved: Moved) -> None:
        self.file = file
        self.size = size
        self.moved = moved
        self.sent = 0

    def __len__(self) -> int:
        return self.size

    def read(self, n: int = -1) -> bytes:
        piece = self.file.read(PIECE if n < 0 else max(n, PIECE))
        self.sent += len(piece)
        self.moved(len(piece))
        return piece


def send(
    door: Door, file: Path, *, scope: str, lfn: str, dataset: str, moved: Moved
) -> dict[str, Any]:
    """Put a file; `replayed` says that it was there. Raises CommandError."""
    try:
        content = file.open("rb")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    with content:
        whole = sum_of(file)
        tries: list[_Outgoing] = []

        def opened() -> Any:
            if tries:
                moved(-tries.pop().sent)
            content.seek(0)
            tries.append(_Outgoing(content, whole.size, moved))
            return tries[0] if whole.size else b""

        path = f"files/{part(scope)}/{part(lfn)}/content"
        answer = door.put(path, opened, adler32=whole.adler32, dataset=dataset)
        if answer["replayed"]:  # the server may not have read it
            moved(whole.size - tries[0].sent)
    if (answer["size"], answer["adler32"]) != (whole.size, whole.adler32):
        raise CommandError(f"{file} has {whole}, the server keeps {answer['size']} bytes of it")
    return answer
