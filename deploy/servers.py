"""Fetches nginx, Apache and mod_gridsite for `make test-servers`: unpacked, never installed.

    python -m deploy.servers     prints the folder, or says why there is none

The folder is `.servers`, which git ignores: Debian's packages of these and of the libraries that
this machine does not have. Nothing of it is started but by the tests, which look for programs of
the machine itself first.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".servers"
PACKAGES = ("nginx", "libnginx-mod-stream", "apache2-bin", "gridsite")
STREAM = Path("usr", "lib", "nginx", "modules", "ngx_stream_module.so")
MODULES = Path("usr", "lib", "apache2", "modules")
PROGRAMS = ("usr/sbin/nginx", "usr/sbin/apache2", STREAM, MODULES / "mod_gridsite.so")


def main() -> None:
    folder = ensure_servers()
    if folder:
        print(folder)
    else:
        print(f"*** {why_not()}: the tests behind them are SKIPPED. ***", file=sys.stderr)


def ensure_servers() -> "Path | None":
    """Where they are, as below `/`; None where there is no way to get them."""
    if are_below(Path("/")):
        return Path("/")
    if not are_below(FOLDER):
        if os.geteuid() or not shutil.which("apt-get"):
            return None
        print("Fetching nginx, Apache and mod_gridsite ...", file=sys.stderr, flush=True)
        try:
            fetch()
        except subprocess.CalledProcessError as error:
            print(f"`{' '.join(error.cmd)}` ended with {error.returncode}.", file=sys.stderr)
            return None
    return FOLDER


def why_not() -> str:
    """What is missing on this machine, and what would bring it."""
    missing = [str(program) for program in PROGRAMS if not Path("/", program).exists()]
    means = f"apt install {' '.join(PACKAGES)}"
    return f"{', '.join(missing)} not found, and not fetched from Debian ({means})"


def are_below(folder: Path) -> bool:
    return all((folder / program).exists() for program in PROGRAMS)


def fetch() -> None:
    """What apt would install, with all that is missing here, as files below the folder."""
    with tempfile.TemporaryDirectory(prefix="pandasite-apt-") as place:
        os.mkdir(os.path.join(place, "partial"))
        run("apt-get", "update", "-qq")
        words = ("install", "--download-only", "-y", "-qq", "--no-install-recommends")
        # The user that apt downloads as may not enter our folder.
        options = ("-o", f"Dir::Cache::archives={place}", "-o", "APT::Sandbox::User=root")
        run("apt-get", *words, *options, *PACKAGES)
        shutil.rmtree(FOLDER, ignore_errors=True)
        for deb in sorted(Path(place).glob("*.deb")):
            run("dpkg-deb", "--extract", str(deb), str(FOLDER))


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
