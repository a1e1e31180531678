"""Installs a certified OpenID provider, and PanDA's client, for `make test-identity`.

    python -m deploy.issuer     prints the folder of the provider

The folder is .issuer, which git ignores; the provider is pinned beside the tests. What is there
already is recognised by the hash of the lock file.
"""

import shutil
import sys
from pathlib import Path

from deploy.bootstrap import NPM_FILES, ROOT, digest_of, find_npm, run
from deploy.panda_client import ensure_client

PINNED = ROOT / "tests" / "issuer"
FOLDER = ROOT / ".issuer"
STAMP = FOLDER / ".lock"


def main() -> None:
    ensure_client()
    print(ensure_issuer())


def ensure_issuer() -> Path:
    """The folder with the provider's modules; installed when they are not there."""
    digest = digest_of(PINNED / "package-lock.json")
    if not STAMP.is_file() or STAMP.read_text() != digest:
        print("Installing an OpenID provider into .issuer ...", file=sys.stderr)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        for name in NPM_FILES:
            shutil.copy(PINNED / name, FOLDER)
        run([find_npm(FOLDER), "ci", "--silent"], cwd=str(FOLDER))
        STAMP.write_text(digest)
    return FOLDER


if __name__ == "__main__":
    main()
