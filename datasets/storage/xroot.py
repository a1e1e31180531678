"""root:// and roots://: XRootD, by its own client."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs

from datasets.storage import xroot_tape
from datasets.storage.base import (
    Address,
    Copied,
    FileMissing,
    SourceError,
    Space,
    Stage,
    StorageError,
    checked,
    is_part_of,
    part_name,
    summed,
)
from datasets.storage.secrets import Secret
from datasets.storage.xroot_client import (
    EXISTS,
    Stride,
    is_away,
    is_missing,
    library,
    patience,
    words,
)
from datasets.storage.xroot_door import Door, check_redirected

# The client's own constants (XRootD.client.flags), which is imported where it is needed.
QUERY_CHECKSUM, QUERY_SPACE, QUERY_CONFIG = 3, 5, 7
OPEN_READ, OPEN_NEW = 16, 2 | 256  # to write: anew, with the folders above it
MODE = 0x100 | 0x080 | 0x020 | 0x004  # rw-r--r--
LIST_WITH_FACTS, IS_FOLDER = 1, 2


class XRootDPlace:
    """A folder of an XRootD server."""

    def __init__(self, address: Address, secret: Secret | None) -> None:
        library()
        self.address = address
        self.door = Door(address.url, secret)
        weakref.finalize(self, self.door.close)
        self.tells: dict[str, str] = {}

    def close(self) -> None:
        self.door.close()

    def ask(self, verb: str, path: str, *, what: str, about: tuple[Any, ...] = ()) -> Any:
        """The answer to one question about a path ('' is the root); None: there is no such file.

        StorageError that begins with `what` for any other refusal.
        """
        place = self.system(what)
        with self._told(what):
            full = self.door.path(path) + self.door.told
        words_before = about if verb == "query" else ()
        words_behind = () if verb == "query" else about
        status, answer = getattr(place, verb)(
            *words_before, full, *words_behind, timeout=patience()
        )
        if is_missing(status):
            return None
        if not status.ok:
            self.refuse(what, status)
        return True if answer is None else answer

    def system(self, what: str) -> Any:
        """The client's door to the server as a whole. StorageError that begins with `what`."""
        with self._told(what):
            return library().FileSystem(self.door.server() + self.door.told)

    def refuse(self, what: str, status: Any, kind: type[StorageError] = StorageError) -> None:
        """Raise what a status says."""
        if is_away(status):
            self.door.forget()
        raise kind(f"{what}: {words(status)}")

    @contextmanager
    def _told(self, what: str, kind: type[StorageError] = StorageError) -> Iterator[None]:
        """A server that cannot be found, in the words of the deed."""
        try:
            yield
        except StorageError as error:
            raise kind(f"{what}: {error}") from error

    @contextmanager
    def open(self, path: str, flags: int, *, what: str, kind: type[StorageError]) -> Iterator[Any]:
        """An open file. FileMissing where a source has it not, else `kind`."""
        file = library().File()
        with self._told(what, kind):
            status, _none = file.open(self.door.url(path), flags, MODE, timeout=patience())
        try:
            if not status.ok:
                missing = kind is SourceError and is_missing(status) and self.answers(path)
                self.refuse(what, status, FileMissing if missing else kind)
            with self._told(what, kind):
                check_redirected(str(file.get_property("DataServer")))
            yield file
        finally:
            with suppress(ValueError):  # it was never open, or is closed
                file.close(timeout=patience())

    @contextmanager
    def read(self, path: str, *, offset: int = 0) -> Iterator[Iterator[bytes]]:
        what = f"cannot read at {self.address}"
        if self.address.tape:
            xroot_tape.check_staged(self, path)
        with self.open(checked(path), OPEN_READ, what=what, kind=SourceError) as file:
            yield self._pieces(file, offset)

    def _pieces(self, file: Any, offset: int) -> Iterator[bytes]:
        stride = Stride()
        while True:
            with stride.timed():
                status, piece = file.read(offset, stride.size, timeout=patience())
            if not status.ok:
                self.refuse(f"reading at {self.address} broke off", status, SourceError)
            if not piece:
                return
            offset += len(piece)
            yield piece

    def answers(self, path: str) -> bool:
        """Whether the folder of the file's scope is there: a mount that is away looks empty."""
        try:
            return self.ask("stat", path.partition("/")[0], what="") is not None
        except StorageError:
            return False

    def size(self, path: str) -> int | None:
        found = self.ask("stat", checked(path), what=f"cannot look at {self.address}")
        return None if found is None else int(found.size)

    def arrive(self, path: str, *, tag: str, expected: Copied) -> XRootDArrival:
        return XRootDArrival(self, path, tag)

    def stage(self, paths: Sequence[str], *, now: float) -> str:
        return xroot_tape.ask(self, paths)

    def staged(
        self, paths: Sequence[str], *, ticket: str, now: float
    ) -> dict[str, tuple[Stage, str]]:
        return xroot_tape.look(self, paths, ticket=ticket)

    def copy_from(self, source: XRootDPlace, path: str, **about: Any) -> str:
        """Let the servers copy between themselves; how it is proven, empty when they cannot."""
        from datasets.storage.xroot_copy import third_party

        return third_party(source, self, path, **about)

    def discard_old(self, path: str) -> None:
        folder = checked(path).rpartition("/")[0]
        for entry in self.members(folder, what=f"cannot look at {self.address}"):
            if is_part_of(entry.name, path):
                self.remove(f"{folder}/{entry.name}")

    def members(self, folder: str, *, what: str) -> list[Any]:
        """What lies in a folder, with its facts; nothing where there is no folder."""
        found = self.ask("dirlist", folder, what=what, about=(LIST_WITH_FACTS,))
        return [] if found is None else list(found)

    def remove(self, path: str) -> None:
        self.ask("rm", checked(path), what=f"cannot write at {self.address}")

    def adler32(self, path: str) -> str | None:
        """What the server has summed up itself; None where it sums up otherwise, or not."""
        if "adler32" not in self.configured("chksum"):
            return None
        what = f"cannot look at {self.address}"
        said = self.ask("query", path, what=what, about=(QUERY_CHECKSUM,))
        kind, _, value = _text(said).partition(" ")
        return value.lower().zfill(8) if kind == "adler32" and value else None

    def configured(self, name: str) -> str:
        """What the server says of a part of its configuration, which is asked for once."""
        if name not in self.tells:
            place = self.system(f"cannot look at {self.address}")
            status, said = place.query(QUERY_CONFIG, name, timeout=patience())
            if is_away(status):
                self.refuse(f"cannot look at {self.address}", status)
            self.tells[name] = _text(said) if status.ok else ""
        return self.tells[name]

    def space(self) -> Space | None:
        """The quota of the space where it has one, else its disks."""
        what = f"cannot look at {self.address}"
        said = parse_qs(_text(self.ask("query", "", what=what, about=(QUERY_SPACE,))))
        total, free, used, quota = (
            int(value) if (value := said.get(f"oss.{name}", [""])[0]).isdigit() else 0
            for name in ("space", "free", "used", "quota")
        )
        if quota > 0:
            return Space(capacity=quota, used=used, said_by="quota")
        return Space(capacity=total, used=total - free, said_by="disk") if total else None


class XRootDArrival:
    """A part file, renamed at the end."""

    def __init__(self, place: XRootDPlace, path: str, tag: str) -> None:
        self.place, self.path = place, checked(path)
        self.part = part_name(path, tag)
        self.what = f"cannot write at {place.address}"

    def fill(self, pieces: Iterator[bytes]) -> None:
        at, stride = 0, Stride()
        with self.place.open(self.part, OPEN_NEW, what=self.what, kind=StorageError) as file:
            for part in stride.cut(pieces):
                with stride.timed():
                    status, _none = file.write(part, at, len(part), timeout=patience())
                if not status.ok:
                    self.place.refuse(self.what, status)
                at += len(part)
            status, _none = file.close(timeout=patience())
            if not status.ok:
                self.place.refuse(self.what, status)

    def prove(self, expected: Copied) -> str:
        size, adler32 = self.place.size(self.part), self.place.adler32(self.part)
        proof = "server"
        if size is None or adler32 is None:
            with self.place.read(self.part) as pieces:
                again = summed(pieces)
            proof, size, adler32 = "re-read", again.size, again.adler32
        if (size, adler32) != (expected.size, expected.adler32):
            raise StorageError(
                f"what arrived at {self.place.address} is not what was sent: {size} bytes, "
                f"checksum {adler32}; {expected.size} and {expected.adler32} expected"
            )
        return proof

    def publish(self) -> None:
        """Rename it; a server that renames over nothing that is there has the older removed."""
        what = f"cannot name a file at {self.place.address}"
        door = self.place.door
        names = door.path(self.part) + door.told, door.path(self.path) + door.told
        place = self.place.system(what)
        status, _none = place.mv(*names, timeout=patience())
        if not status.ok and status.errno == EXISTS:
            self.place.remove(self.path)
            status, _none = place.mv(*names, timeout=patience())
        if not status.ok:
            self.place.refuse(what, status)

    def discard(self) -> None:
        self.place.remove(self.part)


def _text(said: Any) -> str:
    return said.rstrip(b"\0\n ").decode("ascii", "replace") if isinstance(said, bytes) else ""
