"""Where the embedded installation keeps its data, and who its servers run as.

A server must not run as root, so root starts it as `nobody`. That user has to reach the data
folder. The permissions of a folder that is not ours are never changed: where the way is closed,
another place is taken (or, when the place was asked for, the start is refused).
"""

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pandasite.embedded.errors import EmbeddedError

# A unix socket's path is limited to 107 bytes on Linux and 103 on macOS, its end mark included.
LONGEST_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = len("/pg/.s.PGSQL.5432.lock")


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that root starts the servers as."""

    uid: int
    gid: int

    @classmethod
    def of_this_process(cls) -> "ServerUser | None":
        """`nobody` for root; None for everybody else, who start servers as themselves."""
        if os.geteuid() != 0:
            return None
        entry = pwd.getpwnam("nobody")
        return cls(uid=entry.pw_uid, gid=entry.pw_gid)

    def may_pass(self, folder: Path) -> bool:
        """Whether this user can traverse a folder, judged by owner, group and mode."""
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)

    def first_closed(self, path: Path) -> Path | None:
        """The first folder on the way to a path that this user cannot traverse."""
        way = [folder for folder in reversed([path, *path.parents]) if folder.exists()]
        return next((folder for folder in way if not self.may_pass(folder)), None)


class RunAs(TypedDict):
    """The arguments of `subprocess` that choose a user; all None: the user of this process."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def run_as(user: ServerUser | None) -> RunAs:
    if user is None:
        return RunAs(user=None, group=None, extra_groups=None)
    return RunAs(user=user.uid, group=user.gid, extra_groups=[])


@dataclass(frozen=True)
class Home:
    """The data folder: `postgres/`, `valkey/`, `logs/`, `static/`, `run/`, `secrets.json`."""

    path: Path
    server_user: ServerUser | None = None

    @classmethod
    def choose(cls, *, asked: str, repository: Path, with_servers: bool = True) -> "Home":
        """The folder asked for, else `var` beside the code, else (root only) one under /var/lib.

        with_servers: whether embedded servers will live there. Raises EmbeddedError when their
        user cannot reach the folder that was asked for. Creates nothing.
        """
        user = ServerUser.of_this_process() if with_servers else None
        path = Path(os.path.abspath(asked)) if asked else repository / "var"
        closed = user.first_closed(path) if user else None
        if closed is None:
            return cls(path=path, server_user=user)
        if asked:
            raise EmbeddedError(
                f"PANDASITE_DATA={asked} cannot be used by root: the servers run as the user "
                f"nobody, to whom {closed} is closed; name a folder that others may enter."
            )
        return cls(path=Path(f"/var/lib/pandasite-{_digest(repository)}"), server_user=user)

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def static(self) -> Path:
        return self.path / "static"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def sockets(self) -> Path:
        """The folder of the unix sockets: in `run`, or in /tmp when that path is too long.

        Always /tmp, not TMPDIR: each process must find the same place, whatever its environment.
        """
        if len(os.fsencode(self.run)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return self.run
        return Path("/tmp") / f"pandasite-{os.geteuid()}-{_digest(self.path)}"

    def make(self) -> None:
        """Creates the folders that are missing. Raises EmbeddedError when that is refused."""
        try:
            for folder in (self.path, self.logs, self.static, self.run, self.sockets):
                self._make_folder(folder)
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.path} cannot be used ({error.strerror}); "
                "set PANDASITE_DATA to a folder that you can write."
            ) from None

    def make_for_server(self, folder: Path) -> None:
        """Creates a folder that only the servers' user may enter."""
        wanted = self.server_user.uid if self.server_user else os.geteuid()
        if not folder.exists():
            folder.mkdir(mode=0o700)
            if self.server_user:
                os.chown(folder, self.server_user.uid, self.server_user.gid)
        if folder.stat().st_uid != wanted:
            raise EmbeddedError(
                f"{folder} belongs to another user: start pandasite as the user who made it, "
                "or set PANDASITE_DATA to another folder."
            )

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            _make_open(folder)
        if folder.is_symlink() and folder != self.path:
            raise EmbeddedError(f"{folder} is a symbolic link; remove it and start again.")
        # Below /tmp anybody could have made it first; but root may use a clone that a user owns.
        ours = folder.stat().st_uid == os.geteuid()
        if not ours and (os.geteuid() != 0 or self.path not in [folder, *folder.parents]):
            raise EmbeddedError(
                f"{folder} belongs to another user; set PANDASITE_DATA to a folder of your own."
            )


def _make_open(folder: Path) -> None:
    """Makes a folder, and those on its way, that the servers' user may pass: whatever the umask."""
    if not folder.parent.exists():
        _make_open(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)


def temporary_home() -> Home:
    """A new empty folder that the servers' user can reach, for tests; the caller removes it."""
    path = Path(tempfile.mkdtemp(prefix="pandasite-test-"))
    path.chmod(0o711)
    home = Home.choose(asked=str(path), repository=path)
    home.make()
    return home


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
