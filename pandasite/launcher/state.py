"""Remembers who runs in a data folder: a lock that ends with its holder, and a record on disk."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self

import psutil

from pandasite.embedded.process import Identity
from pandasite.launcher.errors import AlreadyRuns


@dataclass(frozen=True, kw_only=True)
class Record:
    """The launcher, its children by name, and the address of the site."""

    launcher: Identity
    children: Mapping[str, Identity] = field(default_factory=dict)
    url: str = ""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What was written last; None when there is none or it is damaged."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            children = {name: Identity(**child) for name, child in data["children"].items()}
            return cls(launcher=Identity(**data["launcher"]), children=children, url=data["url"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Replaces the file at once, so that a reader sees the old or the new one."""
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(path)


class Hold:
    """The right to run in a data folder, held until `release()` or the end of this process.

    A file lock, because the kernel gives it back however its holder dies.
    """

    def __init__(self, folder: Path) -> None:
        self.record_path = folder / "launcher.json"
        self._lock_path = folder / "launcher.lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises AlreadyRuns when another process holds it."""
        file = self._lock_path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AlreadyRuns(self._who_runs()) from None
        self._file = file

    def is_taken(self) -> bool:
        """Whether another process holds it."""
        try:
            self.take()
        except AlreadyRuns:
            return True
        self.release()
        return False

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def read(self) -> Record | None:
        return Record.read(self.record_path)

    def _who_runs(self) -> str:
        record = self.read()
        if not record:
            return f"pandasite already runs in {self.record_path.parent.parent}."
        place = f" at {record.url}" if record.url else ""
        return f"pandasite already runs{place} (process {record.launcher.pid})."


def end_processes(identities: Mapping[str, Identity], *, seconds: float) -> list[str]:
    """Ends processes of before and what they started: asked first, killed when that takes too long.

    A number that another process has by now is left alone. Returns the names found alive.
    """
    found = {name: process for name, one in identities.items() if (process := one.process())}
    everyone = [member for process in found.values() for member in _family(process)]
    for name, process in found.items():
        # SIGTERM would let PostgreSQL wait for its clients.
        send(process.pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + seconds
    left = [one for one in everyone if not await_end(one, seconds=deadline - time.monotonic())]
    for one in left:
        send(one.pid, signal.SIGKILL)
    for one in left:
        await_end(one, seconds=5.0)
    return sorted(found)


def await_end(identity: Identity, *, seconds: float) -> bool:
    """Whether a process ended in time."""
    deadline = time.monotonic() + seconds
    while identity.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _family(process: psutil.Process) -> list[Identity]:
    try:
        members = [process, *process.children(recursive=True)]
        return [Identity(pid=one.pid, created=one.create_time()) for one in members]
    except psutil.NoSuchProcess:
        return []


def send(pid: int, number: int) -> None:
    """A signal to a process that may have ended meanwhile, which is what we want."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
