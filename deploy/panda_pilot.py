"""Fetches PanDA's own pilot for `make test-pilots`: pinned by hash, unpacked, never changed.

    python -m deploy.panda_pilot     prints the folder that has its pilot.py

The folder is below .venv, which git ignores. What is there already is recognised by the hash of
the lock file.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-pilots.lock"
FOLDER = ROOT / ".venv" / "panda-pilot"
STAMP = FOLDER / ".lock"


def main() -> None:
    print(ensure_pilot())


def ensure_pilot() -> Path:
    """Where pilot.py is; fetched when it is not there. CalledProcessError when that fails."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not STAMP.is_file() or STAMP.read_text() != digest:
        print("Fetching PanDA's pilot ...", file=sys.stderr, flush=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="pandasite-pilot-") as place:
            download(Path(place))
            (archive,) = Path(place).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(FOLDER, filter="data")
        STAMP.write_text(digest)
    (script,) = FOLDER.glob("*/pilot.py")
    return script.parent


def download(place: Path) -> None:
    """The source as the index has it. Environments that uv has made have no pip: then another's."""
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    command = [python_with_pip(), "-m", "pip", *words, "--dest", str(place), "-r", str(LOCK)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def python_with_pip() -> str:
    base = Path(sys.base_prefix, "bin", "python3")
    for python in (sys.executable, str(base), shutil.which("python3") or ""):
        if (
            python
            and not subprocess.run(
                [python, "-m", "pip", "--version"], capture_output=True
            ).returncode
        ):
            return python
    sys.exit("PanDA's pilot is fetched with pip, and no Python here has it: install python3-pip.")


if __name__ == "__main__":
    main()
