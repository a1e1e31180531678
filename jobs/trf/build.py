"""buildGen: the sources, compiled by the user's command, as a library for the jobs to come."""

from __future__ import annotations

import sys
import tarfile
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from jobs.trf.ends import BAD_PARAMETERS, Failed, ending
from jobs.trf.sandbox import WORK, cleared, prepared, shell
from jobs.trf.words import plain, read


def main() -> int:
    """The exit code: the command's own, or one of `ends`."""
    return ending(lambda: build(read(sys.argv[1:])))


def build(said: Mapping[str, str]) -> int:
    """Unpack the sources, run the command where there is one, and pack all of it again."""
    if not said.get("-i") or not said.get("-o"):
        raise Failed(BAD_PARAMETERS, "-i has to name the sources and -o the library")
    library = plain(said["-o"])
    folder = prepared(said, [said["-i"]])
    command = urllib.parse.unquote(said.get("--bexec", ""))
    status = shell(command, folder) if command and "--noCompile" not in said else 0
    if status == 0:
        with tarfile.open(library, "w:gz") as tar:
            for path in sorted(Path(WORK).iterdir()):
                tar.add(path, arcname=path.name)
        cleared(said["-i"])
    return status
