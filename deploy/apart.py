"""Environments apart from .venv, each from a lock file of its own, in a folder that git ignores.

What is there already is recognised by the hash of the lock file. Standard library only.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def ensure(*, lock: str, folder: str, say: str, told_by: str = "") -> Path:
    """The Python of the environment; installed when it is not there. CalledProcessError.

    `told_by` is the variable by which a package learns, as it is built, the folder that it writes
    into its files. What was built for another folder must not come from a cache then.
    """
    place = ROOT / folder
    stamp = place / ".lock"
    python = place / "bin" / "python"
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        print(f"{say} ...", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        install(ROOT / lock, place, python, told_by)
        stamp.write_text(digest)
    return python


def install(lock: Path, place: Path, python: Path, told_by: str) -> None:
    told = {told_by: str(place)} if told_by else {}
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(place)])
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python)]
        run([*command, *(["--no-cache"] if told else []), str(lock)], **told)
        return
    run([python_with_venv(), "-m", "venv", str(place)])
    words = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    fresh = ["--no-cache-dir"] if told else []
    run([str(python), "-m", "pip", *words, *fresh, "-r", str(lock)], **told)


def python_with_venv() -> str:
    """Not that of .venv: an environment of an environment would lean on it."""
    base = Path(sys.base_prefix, "bin", "python3")
    return str(base) if base.exists() else sys.executable


def run(command: list[str], **more: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, **more})
