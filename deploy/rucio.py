"""Installs a Rucio server for `make test-rucio`, into an environment of its own.

    python deploy/rucio.py     prints its Python

The folder is .rucio, which git ignores: what Rucio pins is not for the product. What is there
already is recognised by the hash of the lock file.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-rucio.lock"
FOLDER = ROOT / ".rucio"
STAMP = FOLDER / ".lock"


def main() -> None:
    print(ensure_rucio())


def ensure_rucio() -> Path:
    """The Python that has Rucio; installed when it is not there. CalledProcessError."""
    python = FOLDER / "bin" / "python"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not STAMP.is_file() or STAMP.read_text() != digest:
        print("Installing Rucio into .rucio, which takes some minutes ...", file=sys.stderr)
        shutil.rmtree(FOLDER, ignore_errors=True)
        install(python)
        STAMP.write_text(digest)
    return python


def install(python: Path) -> None:
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER)])
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python)]
        run([*command, str(LOCK)])
        return
    run([python_with_venv(), "-m", "venv", str(FOLDER)])
    words = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    run([str(python), "-m", "pip", *words, "-r", str(LOCK)])


def python_with_venv() -> str:
    """Not that of .venv: an environment of an environment would lean on it."""
    base = Path(sys.base_prefix, "bin", "python3")
    return str(base) if base.exists() else sys.executable


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
