"""Installs a certified OpenID provider and PanDA's client for `make test-identity`.

    python deploy/issuer.py     prints the folder

The folder is .issuer, which git ignores; the provider is pinned beside the tests. What is there
already is recognised by the hashes of the lock files.
"""

import shutil
import sys
from pathlib import Path

from bootstrap import NPM_FILES, ROOT, digest_of, find_npm, install, run

PINNED = ROOT / "tests" / "issuer"
CLIENT = ROOT / "requirements-clients.lock"
FOLDER = ROOT / ".issuer"
STAMP = FOLDER / ".lock"


def main() -> None:
    print(ensure_issuer())


def ensure_issuer() -> Path:
    """The folder with the provider's modules, and the client's environment in `client`."""
    digest = f"{digest_of(PINNED / 'package-lock.json')} {digest_of(CLIENT)}"
    if not STAMP.is_file() or STAMP.read_text() != digest:
        print("Installing an OpenID provider and PanDA's client into .issuer ...", file=sys.stderr)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        for name in NPM_FILES:
            shutil.copy(PINNED / name, FOLDER)
        run([find_npm(FOLDER), "ci", "--silent"], cwd=str(FOLDER))
        install(CLIENT, FOLDER / "client")
        STAMP.write_text(digest)
    return FOLDER


if __name__ == "__main__":
    main()
