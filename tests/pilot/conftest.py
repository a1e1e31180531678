"""What every test of the pilot starts from.

Imports of ours are inside: this file is read before Django is set up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pilot.fake_server import FakeServer, serving
from tests.pilot.harness import Site, with_word

if TYPE_CHECKING:
    from datasets.storage import Address


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.clean_up()


@pytest.fixture
def word() -> Iterator[str]:
    """An argument by which the processes of this test, and of no other, can be found."""
    unique = f"7{uuid.uuid4().int % 10**8:08d}"
    yield unique
    for pid in with_word(unique):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Address]:
    from datasets.storage import Address
    from tests.datasets import servers

    with servers.webdav(tmp_path / "dav") as url:
        yield Address(url=url, secret="dav")


@pytest.fixture
def secret(site: Site) -> str:
    from tests.datasets import servers

    path = site.root / "storage-secret"
    path.write_text(f"{servers.USER}:{servers.PASSWORD}\n")
    return str(path)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of the servers; places that are open close with them."""
    from datasets import storage
    from tests.datasets import servers

    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", f"{servers.USER}:{servers.PASSWORD}")
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_S3", f"{servers.S3_KEY}:{servers.S3_SECRET}")
    yield
    storage.close_places()


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """An XRootD server, and its programs on the nodes."""
    from datasets.storage import Address
    from tests.datasets import xrootd

    with xrootd.xrootd() as running:
        programs = str(xrootd.program("xrdcp").parent)
        monkeypatch.setenv("PATH", programs, prepend=os.pathsep)
        if libraries := xrootd.environment().get("LD_LIBRARY_PATH"):
            monkeypatch.setenv("LD_LIBRARY_PATH", libraries)
        yield Address(url=f"{running.url}//disk")


@pytest.fixture(params=["none", "auto"])
def isolation(request: pytest.FixtureRequest) -> str:
    """Both ways of running a payload; `auto` only where bubblewrap works."""
    if request.param == "auto" and not bubblewrap_works():
        pytest.skip("bubblewrap does not work on this machine")
    return str(request.param)


def bubblewrap_works() -> bool:
    command = ["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return shutil.which("bwrap") is not None and subprocess.run(command).returncode == 0
