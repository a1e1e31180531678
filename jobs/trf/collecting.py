"""Brings what the command made to the job's folder, under the names that the server knows."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from jobs.trf.ends import BAD_PARAMETERS, NO_OUTPUT, Failed
from jobs.trf.words import below, plain

REGEX = "regex|"


def collect(outputs: Mapping[str, str], folder: Path) -> None:
    """Each output is there in the end, or Failed names those that are not."""
    missing = [made for made, name in outputs.items() if not brought(made, plain(name), folder)]
    if missing:
        raise Failed(NO_OUTPUT, f"the command made no {', '.join(missing)}")


def brought(made: str, name: str, folder: Path) -> bool:
    """Move one output; what is a pattern becomes an archive of all that it fits."""
    if made.startswith(REGEX) or any(sign in made for sign in "*?["):
        found = fitting(made, folder)
        if found:
            pack(found, folder, Path(name))
        return bool(found)
    path = below(folder, made)
    if not path.is_file():
        return False
    shutil.move(str(path.resolve()), name)
    return True


def fitting(pattern: str, folder: Path) -> list[Path]:
    """The files of the folder that a pattern fits."""
    try:
        expression = re.compile(
            pattern[len(REGEX) :] if pattern.startswith(REGEX) else fnmatch.translate(pattern)
        )
    except re.error as error:
        raise Failed(BAD_PARAMETERS, f"{pattern[:80]} is no pattern: {error}") from error
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    return [path for path in paths if expression.fullmatch(path.name)]


def pack(files: list[Path], folder: Path, target: Path) -> None:
    """Write an archive of these files."""
    with tarfile.open(target, "w:gz") as tar:
        for file in files:
            tar.add(file, arcname=os.path.relpath(file, folder))
