"""kill -9 of a web server, a worker and the launcher itself; and a site of an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.homes import alive, asked, family_of, open_folder, with_word
from tests.base.launched import (
    END_SECONDS,
    ROOT,
    Running,
    Site,
    bring_up,
    finish,
    one_start,
    site_of_many_starts,
    wait_until_dead,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
NOBODY = 65534


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with site_of_many_starts(prepared=True) as site:
        yield site


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[Running]:
    with one_start(site) as running:
        yield running


def test_a_killed_web_server_and_a_killed_worker_come_back_at_the_same_address(
    running: Running,
) -> None:
    web = with_word(running.family, "pandasite.launcher.web")
    worker = with_word(running.family, "worker@%h")
    gone = [*family_of(web.pid), *family_of(worker.pid)]

    web.kill()
    worker.kill()

    wait_until_dead(gone, seconds=60)  # they may still take a request, and then drop it
    # The launcher holds the socket: a request waits for the new server instead of being refused.
    assert running.live()
    said = ""
    for name in ("web", "worker"):
        while f"{name} ended (signal SIGKILL), starts again in 0.5 s" not in said:
            line = running.line()
            assert line, said
            said += line


def test_a_killed_launcher_leaves_no_process_and_the_next_one_starts_cleanly(
    site: Site, running: Running
) -> None:
    family = [*running.family, *family_of(running.process.pid)]
    assert len(running.family) > 10

    running.process.kill()
    wait_until_dead(family, seconds=60)
    finish(running)
    second = bring_up(site)

    assert second.live()
    second.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    finish(second)
    assert time.monotonic() - began < END_SECONDS
    assert alive(second.family) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests of `up` ran as an ordinary user")
def test_an_ordinary_user_can_do_all_this_too() -> None:
    with open_folder() as folder:
        python, extra = python_for_everybody(folder)
        data = folder / "var"
        data.mkdir()
        os.chown(data, NOBODY, NOBODY)
        site = Site(folder=data, python=python, extra=extra, user=NOBODY)

        running = bring_up(site)
        assert running.live()
        users = asked(running.family, lambda one: one.uids().effective)
        assert {user for _one, user in users} == {NOBODY}

        assert site.ask("down")[0] == 0
        finish(running)
        assert alive(running.family) == []


def python_for_everybody(folder: Path) -> tuple[str, dict[str, str]]:
    """An interpreter that every user may run, and the environment it needs.

    Where ours stands below a closed folder, as root's own often does, a copy is made.
    """
    base = Path(sys.base_prefix).resolve()
    program = Path(sys.executable).resolve()
    packages = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    extra = {"PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    if _others_may_read(program):
        return str(program), extra
    if not _others_may_read(Path(packages)) or not _others_may_read(ROOT / "manage.py"):
        pytest.skip("this clone stands below a folder that is closed to other users")
    copy = folder / "python"
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    ignored = shutil.ignore_patterns("site-packages", "test", "config-*", "*.a", "*.opt-?.pyc")
    shutil.copytree(base / "lib" / library, copy / "lib" / library, ignore=ignored)
    for shared in (base / "lib").glob("libpython*"):
        shutil.copy(shared, copy / "lib" / shared.name)
    (copy / "bin").mkdir()
    shutil.copy(program, copy / "bin" / "python")
    extra |= {"PYTHONHOME": str(copy), "LD_LIBRARY_PATH": str(copy / "lib")}
    return str(copy / "bin" / "python"), extra


def _others_may_read(path: Path) -> bool:
    way = [path, *path.parents]
    return all(one.stat().st_mode & 0o005 == 0o005 for one in way[1:]) and bool(
        path.stat().st_mode & 0o004
    )
