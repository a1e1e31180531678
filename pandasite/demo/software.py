"""Installs the transformations at the demo's sites, as a software release is installed."""

import os
import sys
from pathlib import Path

from django.conf import settings

from pandasite.demo.grid import ANALYSIS, CHEMISTRY, CMT_CONFIG, GENERATION, DemoFolder, Place

MOVER = "mover.py"  # PandaMover runs it at any site
LIBRARY = ("formats.py", "jobreport.py")
PROGRAMS = {
    GENERATION: ("evgen.py", MOVER),
    ANALYSIS: ("analysis.py", "merge.py", "crash.py", "forgetful.py", "sleep.py", MOVER),
    CHEMISTRY: ("charmm.py", MOVER),
}
SHEBANG_LIMIT = 127  # bytes of the first line that every kernel reads


def transformations() -> Path:
    """Where the scripts are kept. A folder, not a package: only sites run them."""
    return Path(settings.BASE_DIR) / "pilot_client" / "transformations"


def install(folder: DemoFolder, place: Place) -> list[Path]:
    """Install the site's releases; return the programs. Safe to repeat while jobs run."""
    return [
        path
        for release in place.releases
        for path in install_release(folder.software(place) / release / CMT_CONFIG, release)
    ]


def install_release(folder: Path, release: str) -> list[Path]:
    """Install one release into its folder; return its programs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LIBRARY:
        put(folder / name, (transformations() / name).read_text(encoding="utf-8"), mode=0o644)
    programs = [folder / name for name in PROGRAMS[release]]
    for path in programs:
        script = (transformations() / path.name).read_text(encoding="utf-8")
        put(path, with_interpreter(script, sys.executable), mode=0o755)
    return programs


def with_interpreter(script: str, python: str) -> str:
    """The script, to be run by this very python, which has the physics packages.

    A path that is too long for the kernel, or has a blank, goes through the shell: what the shell
    runs is a string to Python.
    """
    body = script.partition("\n")[2] if script.startswith("#!") else script
    direct = f"#!{python}\n"
    if " " not in python and len(os.fsencode(direct)) <= SHEBANG_LIMIT:
        return direct + body
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n{body}"


def put(path: Path, text: str, *, mode: int) -> None:
    """Write a file that a pilot may be reading: whole or not at all, and only when it differs."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(path)
