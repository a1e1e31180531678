"""What every test of the pilot starts from."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pilot.harness import FakeServer, Site, serving, with_word


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


@pytest.fixture(params=["none", "auto"])
def isolation(request: pytest.FixtureRequest) -> str:
    """Both ways of running a payload; `auto` only where bubblewrap works."""
    if request.param == "auto" and not bubblewrap_works():
        pytest.skip("bubblewrap does not work on this machine")
    return str(request.param)


def bubblewrap_works() -> bool:
    command = ["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return shutil.which("bwrap") is not None and subprocess.run(command).returncode == 0
