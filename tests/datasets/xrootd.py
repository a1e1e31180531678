"""A real XRootD server of Debian's package, with its own client for copies between servers.

It runs as another user than root, which it refuses, and lets nobody in but this machine.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PREFIX = Path(os.environ.get("XROOTD_PATH") or Path(sys.prefix, "xrootd"), "usr")
START_SECONDS = 30
CONFIG = """
xrd.port {port}
xrd.network nodnr
xrd.allow host localhost
oss.localroot {folder}/data
all.adminpath {folder}/admin
all.pidpath {folder}/admin
xrootd.async off
ofs.tpc autorm ttl 60 60 xfr 9 pgm {copy} --server
{more}
"""
EXPORT = "all.export /\n"
SUMS = "xrootd.chksum adler32"
TLS = """
xrd.tls {folder}/admin/host.pem
xrd.tlsca noverify
xrootd.tls all
"""


def find(name: str) -> Path | None:
    """One of the programs, where there is one."""
    if (PREFIX / "bin" / name).exists():
        return PREFIX / "bin" / name
    found = shutil.which(name)
    return Path(found) if found else None


def program(name: str) -> Path:
    """One of the programs. Without it the tests are skipped, which CI refuses."""
    if found := find(name):
        return found
    sentence = f"No {name} was found: install it (Debian: apt install xrootd-server xrootd-client)."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def environment() -> dict[str, str]:
    """With the libraries beside the programs."""
    found = sorted(str(path.parent) for path in PREFIX.glob("lib/**/libXrdUtils.so.*"))
    return os.environ | ({"LD_LIBRARY_PATH": found[0]} if found else {})


@dataclass(frozen=True)
class Running:
    """A server, its address and its folder."""

    port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        return f"root://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @contextmanager
    def halted(self) -> Iterator[None]:
        """It says nothing, as a server whose disks hang."""
        os.kill(self.pid, signal.SIGSTOP)
        _wait(lambda: _state(self.pid) in "Tt")
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def xrootd(
    *,
    more: str = SUMS,
    certificate: Path | None = None,
    files: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """A server that is stopped at the end; with a certificate it takes roots:// only.

    `{folder}` in its configuration and its files (programs, perhaps) is its folder.
    """
    server, copy = program("xrootd"), program("xrdcp")
    folder = Path(tempfile.mkdtemp(prefix="pandasite-xrootd-"))  # pytest's are closed to others
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "xrootd.cfg"
    more += TLS if certificate else ""
    more = (more if "all.export" in more else EXPORT + more).replace("{folder}", str(folder))
    for name, text in (files or {}).items():
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    config.write_text(CONFIG.format(port=port, folder=folder, copy=copy, more=more))
    for name in ("data", "admin"):
        (folder / name).mkdir()
        give_away(folder / name)
    if certificate is not None:
        shutil.copy(certificate, folder / "admin" / "host.pem")
        (folder / "admin" / "host.pem").chmod(0o600)
        give_away(folder / "admin" / "host.pem")
    child = subprocess.Popen(
        [server, "-c", config, "-n", "t", "-l", folder / "admin" / "log"],
        cwd=folder / "admin",
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **_as_other_user(),
    )
    try:
        _wait(lambda: child.poll() is not None or _listens(port))
        assert child.poll() is None, (folder / "admin" / "t" / "log").read_text()[-2000:]
        yield Running(port, child.pid, folder)
    finally:
        child.terminate()
        child.wait(10)
        shutil.rmtree(folder)


def _as_other_user() -> dict[str, Any]:
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give_away(path: Path) -> None:
    """To the user who runs the server."""
    if other := _as_other_user():
        os.chown(path, other["user"], other["group"])


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _wait(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + START_SECONDS
    while not happens():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.02)
