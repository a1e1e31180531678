"""The job's folder, and in it the state that a restarted pilot needs to know.

<workdir>/<PandaID>.<attempt>/
    lease           until when it lasts
    lock            held as long as this pilot lives: a folder that can be locked is a leftover
    state.json      stage, payload, final report (0600, replaced atomically)
    pilot.log, payload.stdout, payload.stderr
    trf/            the transformation, where the server brought it
    work/           the payload's current folder; with bubblewrap all it sees of the above
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilot_client.errors import JobFailed, PilotCode

STATE_FILE = "state.json"
LOCK_FILE = "lock"


class Busy(Exception):
    """Another pilot holds this job folder."""


@dataclass
class JobFolder:
    """One job's folder, locked by this process.

    The lease token is written down in the final report only, when the payload has ended: without
    a sandbox the payload could read it.
    """

    path: Path
    lock: int
    state: dict[str, Any]

    @classmethod
    def create(cls, *, workdir: Path, name: str) -> JobFolder:
        """Make an empty one; what an earlier, dead pilot left under this name is removed."""
        path = workdir / name
        path.mkdir(mode=0o700, exist_ok=True)
        folder = cls(path=path, lock=take_lock(path), state={})
        for entry in path.iterdir():
            if entry.name != LOCK_FILE:
                remove(entry)
        folder.work.mkdir(mode=0o700)
        folder.save(stage="claimed")
        return folder

    @classmethod
    def open(cls, path: Path) -> JobFolder:
        """Take over a leftover; raises Busy if its pilot lives, ValueError without a state."""
        lock = take_lock(path)
        try:
            state = json.loads((path / STATE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            os.close(lock)
            raise ValueError(f"{path} has no readable state") from error
        return cls(path=path, lock=lock, state=state)

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def stdout(self) -> Path:
        return self.path / "payload.stdout"

    @property
    def stderr(self) -> Path:
        return self.path / "payload.stderr"

    def program(self, name: str) -> Path:
        """Where a transformation lies that the server brought: out of the payload's reach."""
        place = self.path / "trf"
        place.mkdir(mode=0o700, exist_ok=True)
        return place / name

    @property
    def lease(self) -> Path:
        return self.path / "lease"

    @property
    def pilot_log(self) -> Path:
        return self.path / "pilot.log"

    def save(self, **changes: object) -> None:
        """Change the state on disk: a crash leaves the old one or the new one."""
        self.state.update(changes)
        write_atomically(self.path / STATE_FILE, json.dumps(self.state).encode())

    def remove(self) -> bool:
        """Remove all of it and let go of the lock; False if something could not be removed."""
        remove(self.path)
        self.release()
        return not self.path.exists()

    def release(self) -> None:
        """Let go of the lock and leave the folder for a later pilot."""
        os.close(self.lock)


def take_lock(folder: Path) -> int:
    """Lock the folder for the life of this process; children do not inherit it."""
    lock = os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Busy(str(folder)) from error
    return lock


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, readable by its owner only, and see it to the disk."""
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all it holds; links are removed and never followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def disk_usage(folder: Path) -> int:
    """Bytes of the regular files below, links not followed; files may vanish meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total


def open_regular(path: Path) -> int:
    """Open what the payload wrote for reading: a link, a pipe or a device is refused.

    The payload must not make the pilot read a file on its behalf.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise JobFailed(
            PilotCode.FILE_HANDLING, f"cannot read {path.name}: {error.strerror}"
        ) from error
    if not is_regular(handle):
        os.close(handle)
        raise JobFailed(PilotCode.FILE_HANDLING, f"{path.name} is not a regular file")
    return handle


def is_regular(handle: int) -> bool:
    """Whether the open file is a plain one."""
    return stat.S_ISREG(os.fstat(handle).st_mode)
