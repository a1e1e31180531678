"""What may be in a sandbox: looked through from end to end before anybody gets it.

An archive is one gzip of a tar with files, folders and links that stay inside. It is never held in
memory, neither packed nor unpacked, and no further unpacked than it may be large.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from pandasite.base.errors import BadInput, TooMuch, field_error

PIECE: Final = 1024 * 1024
MEMBERS_MAX: Final = 50_000
LINKS_MAX: Final = 5_000
NAME_MAX: Final = 1_000  # characters
HEADER_MAX: Final = 64 * 1024  # bytes of a header that says more than fits into a plain one
HEADERS_MAX: Final = 16 * 1024 * 1024  # of all of them
# What is packed may be so many times as large, or this large (bytes).
TIMES: Final = 100
FREE: Final = 100_000_000
LONG_HEADERS: Final = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip
BROKEN: Final = (
    tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RecursionError
)  # fmt: skip


def refused(code: str, message: str) -> BadInput:
    """A refusal of the file."""
    text = f"file {message}"
    return BadInput(text, code=code, fields=[field_error("file", text, code=code)])


def too_large(what: str, most: int) -> TooMuch:
    """A refusal of the file for its size."""
    text = f"file {what} at most {most} bytes"
    fault = field_error("file", text, code="too_large", max=most)
    return TooMuch(text, code="too_large", fields=[fault])


class Inflating:
    """The unpacked bytes of a gzip, up to `most`. TooMuch, and BadInput at its end."""

    def __init__(self, file: BinaryIO, *, most: int) -> None:
        self._file = file
        self._most = most
        self._packed = zlib.decompressobj(wbits=31)
        self.inflated = 0
        self.crc32 = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        piece = b""
        while not piece and not self._packed.eof:
            packed = self._packed.unconsumed_tail or self._file.read(64 * 1024)
            if not packed:
                raise refused("incomplete", "was cut off")
            piece = self._packed.decompress(packed, size)
        self.inflated += len(piece)
        if self.inflated > self._most:
            raise too_large("may hold, unpacked,", self._most)
        self.crc32 = zlib.crc32(piece, self.crc32)
        return piece

    def finish(self) -> None:
        """Read what is left, and see that nothing comes behind."""
        while self.read(PIECE):
            pass
        if self._packed.unused_data or self._file.read(1):
            raise refused("bad_gzip", "has something behind its gzip")


@dataclass
class Members:
    """What has been seen of the members so far."""

    count: int = 0
    headers: int = 0
    links: set[str] = field(default_factory=set)

    def tar_info(self) -> type[tarfile.TarInfo]:
        """Headers that refuse what would have to be held in memory before it could be looked at."""
        seen = self

        class Bounded(tarfile.TarInfo):
            @classmethod
            def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:  # type: ignore[override]
                info = super().frombuf(buf, encoding, errors)
                if info.type in LONG_HEADERS:
                    seen.headers += info.size
                    if not 0 <= info.size <= HEADER_MAX or seen.headers > HEADERS_MAX:
                        raise refused("bad_member", "has a header that is too long")
                if info.type == tarfile.GNUTYPE_SPARSE:
                    raise refused("bad_member", "has a sparse member")
                return info

        return Bounded

    def check(self, member: tarfile.TarInfo) -> None:
        """BadInput for a member that may not be in a sandbox."""
        self.count += 1
        if self.count > MEMBERS_MAX:
            raise refused("too_many_members", f"has more than {MEMBERS_MAX} members")
        shown = repr(member.name[:80])
        path = _inside(member.name)
        if path is None or any(str(parent) in self.links for parent in path.parents):
            raise refused("bad_path", f"has a member {shown} that leads out of it")
        if member.issym() or member.islnk():
            self._check_link(member, path, shown)
        elif not (member.isreg() or member.isdir()) or member.issparse():
            raise refused("bad_member", f"has a member {shown} that is no file, folder or link")
        elif member.size < 0:
            raise refused("bad_member", f"has a member {shown} of {member.size} bytes")

    def _check_link(self, member: tarfile.TarInfo, path: PurePosixPath, shown: str) -> None:
        if not self._stays(member, path):
            raise refused("bad_link", f"has a link {shown} that leads out of it")
        if member.issym():
            self.links.add(str(path))
            if len(self.links) > LINKS_MAX:
                raise refused("too_many_members", f"has more than {LINKS_MAX} links")

    def _stays(self, member: tarfile.TarInfo, path: PurePosixPath) -> bool:
        """Whether the link stays inside, whatever the other links are.

        Up only first, and no further than to the root; then down. The folder of the link is a
        real one: no member lies behind a link.
        """
        if member.islnk():
            there = _inside(member.linkname)
            return there is not None and not {str(there), *map(str, there.parents)} & self.links
        target = member.linkname
        steps = PurePosixPath(target).parts
        up = next((n for n, step in enumerate(steps) if step != ".."), len(steps))
        good = 0 < len(target) <= NAME_MAX and not target.startswith("/") and "\0" not in target
        return good and up < len(path.parts) and ".." not in steps[up:]


def _inside(name: str) -> PurePosixPath | None:
    path = PurePosixPath(name)
    bad = name.startswith("/") or ".." in path.parts or "\0" in name or len(name) > NAME_MAX
    return None if bad else path


def look_through(path: Path, *, most: int) -> int:
    """The CRC32 of what is packed, once all of it was seen. BadInput and TooMuch with the reason.

    `most` is how large it may be unpacked (bytes).
    """
    most = min(most, max(FREE, TIMES * path.stat().st_size))
    with open(path, "rb") as file:
        unpacked = Inflating(file, most=most)
        members = Members()
        try:
            with tarfile.open(
                fileobj=unpacked, mode="r|", tarinfo=members.tar_info(), bufsize=64 * 1024
            ) as tar:  # type: ignore[call-overload]
                while (member := tar.next()) is not None:
                    tar.members.clear()  # or all of them would be kept
                    members.check(member)
            unpacked.finish()
        except BROKEN as error:
            kind = "gzip" if isinstance(error, zlib.error) else "tar"
            raise refused(f"bad_{kind}", f"is no gzip of a tar: {error}"[:300]) from error
        return unpacked.crc32
