"""Tape: a file has to be asked for and staged to disk before it can be read.

A tape element in a folder plays a robot, for tests and demonstrations: `.tape.json` in its root
says how many seconds a file takes to come, and which files never do. Requests and staged files
are empty files below `.tape/`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from datasets.storage.base import Stage, StorageError, checked, words

SETTINGS = ".tape.json"


def is_staged(root: str, path: str) -> bool:
    """Whether the file can be read now."""
    return os.path.exists(f"{root}/.tape/staged/{checked(path)}")


def request(root: str, path: str, *, now: float) -> None:
    """Ask for the file; a second request changes nothing. `now` in seconds since 1970."""
    asked = Path(root, ".tape/asked", checked(path))
    try:
        asked.parent.mkdir(parents=True, exist_ok=True)
        with open(asked, "x", encoding="utf-8") as file:
            file.write(str(now))
    except FileExistsError:
        return
    except OSError as error:
        raise StorageError(f"cannot write at file://{root}: {words(error)}") from error


def look(root: str, path: str, *, now: float) -> tuple[Stage, str]:
    """How far a file that was asked for is, with what went wrong."""
    asked = Path(root, ".tape/asked", checked(path))
    try:
        since = float(asked.read_text(encoding="utf-8") or now)
        robot = _robot(root)
        if now - since < float(robot.get("delay_seconds", 0)):
            return Stage.REQUESTED, ""
        asked.unlink(missing_ok=True)
    except FileNotFoundError:
        if is_staged(root, path):
            return Stage.STAGED, ""
        return Stage.FAILED, f"nobody has asked the tape at file://{root} for {path}"
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read at file://{root}: {words(error)}") from error
    return _loaded(root, path, robot)


def forget(root: str, path: str) -> None:
    """Take the file off the disk in front of the tape, as the robot does to make room."""
    Path(root, ".tape/staged", checked(path)).unlink(missing_ok=True)


def _loaded(root: str, path: str, robot: dict[str, Any]) -> tuple[Stage, str]:
    name = path.rpartition("/")[2]
    broken = robot.get("broken") or []
    if isinstance(broken, list) and name in broken:
        return Stage.FAILED, f"{name} could not be staged at file://{root}: the tape is broken"
    if not os.path.exists(f"{root}/{path}"):
        return Stage.FAILED, f"{name} could not be staged at file://{root}: no such file"
    staged = Path(root, ".tape/staged", path)
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.touch()
    except OSError as error:
        raise StorageError(f"cannot write at file://{root}: {words(error)}") from error
    return Stage.STAGED, ""


def _robot(root: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(root, SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}
