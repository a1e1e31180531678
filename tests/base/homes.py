"""Data folders for tests."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

from pandasite.embedded.home import Home, ServerUser

Answer = TypeVar("Answer")


def home_in(folder: Path) -> Home:
    """A data folder for servers that run as this user; root's server user may not reach it."""
    return Home(path=folder / "var", server_user=None)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, other than pytest's own; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="pandasite-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def reachable_home(folder: Path) -> Home:
    return Home(path=folder / "var", server_user=ServerUser.of_this_process())


def family_of(pid: int) -> list[psutil.Process]:
    """A process and everything below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. A zombie is dead: it waits for a slow PID 1."""
    return [one for one in processes if one.is_running() and not _is_zombie(one)]


def asked(
    processes: list[psutil.Process], question: Callable[[psutil.Process], Answer]
) -> list[tuple[psutil.Process, Answer]]:
    """What each of them answers; who has ended meanwhile, as some of a server's do, has none."""
    found = []
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            found.append((one, question(one)))
    return found


def with_word(processes: list[psutil.Process], word: str) -> psutil.Process:
    """The first that was started with this word."""
    words = asked(processes, lambda one: one.cmdline())
    return next(one for one, cmdline in words if word in cmdline)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
