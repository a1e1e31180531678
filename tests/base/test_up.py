"""`manage.py up` and `down`, as a user runs them, with kill -9 in between."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from tests.base.homes import alive, asked, family_of, open_folder, with_word

ROOT = Path(__file__).resolve().parents[2]
MANAGE = str(ROOT / "manage.py")
NOBODY = 65534
END_SECONDS = 120


@dataclass
class Site:
    """A data folder, and the way to run commands on it."""

    folder: Path
    python: str = sys.executable
    extra: dict[str, str] = field(default_factory=dict)
    user: int | None = None

    def command(self, *words: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name != "PANDASITE_BIND"}
        return subprocess.Popen(
            [self.python, MANAGE, *words],
            env=kept | {"PANDASITE_DATA": str(self.folder)} | self.extra,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a command that ends by itself."""
        with self.command(*words) as process:
            output, _ = process.communicate(timeout=180)
        return process.returncode, output


@dataclass
class Running:
    """A launcher that is up."""

    process: subprocess.Popen[str]
    url: str
    family: list[psutil.Process]

    def live(self) -> bool:
        return requests.get(f"{self.url}healthz/live", timeout=60).ok


def bring_up(site: Site) -> Running:
    """Starts the site and waits until its workers are there too."""
    process = site.command("up")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("running"):
            break
    found = re.search(r"the site is at (\S+)", "".join(said))
    assert found, "".join(said)
    return Running(process=process, url=found[1], family=family_of(process.pid))


def finish(running: Running) -> str:
    """What the launcher said until its end."""
    output, _ = running.process.communicate(timeout=END_SECONDS + 10)
    return output


def wait_until_dead(processes: list[psutil.Process], *, seconds: float) -> float:
    began = time.monotonic()
    while alive(processes):
        assert time.monotonic() - began < seconds, alive(processes)
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One data folder for all tests here: each start but the first finds it migrated."""
    with open_folder() as folder:
        yield Site(folder=folder / "var")


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[Running]:
    """One start for the tests that look at a living site; the last of them ends it."""
    running = bring_up(site)
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.mark.timeout(900)
def test_up_says_where_the_site_is_and_it_answers_there(running):
    assert running.url.startswith("http://127.0.0.1:")
    assert running.live()


def test_a_second_up_says_that_it_runs_already(site, running):
    sentence = f"pandasite already runs at {running.url} (process {running.process.pid})."

    assert site.ask("up") == (1, f"CommandError: {sentence}\n")


def processes(running: Running) -> dict[int, str]:
    """What the site says of its processes: their numbers, and what they do."""
    told = requests.get(f"{running.url}servers/?format=json", timeout=60).json()
    return {row["pid"]: f"{row['role']} {row['work']}".strip() for row in told["processes"]}


def wait_for_processes(running: Running, *, other_than: set[int]) -> dict[int, str]:
    """Until all that should be there are, and none of those."""
    deadline = time.monotonic() + 180
    wanted = ["web", "web", "worker celery", "worker transfers"]
    while sorted((found := processes(running)).values()) != wanted or other_than & {*found}:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


@pytest.mark.timeout(900)
def test_every_process_says_that_it_is_there_and_none_is_missed_that_ended_in_order(running):
    # given
    first = wait_for_processes(running, other_than=set())
    assert {*first} <= {process.pid for process in family_of(running.process.pid)}
    web = {pid for pid, work in first.items() if work == "web"}
    # when: the web server exchanges its workers
    with_word(running.family, "pandasite.launcher.web").send_signal(signal.SIGHUP)
    # then
    wait_for_processes(running, other_than=web)


@pytest.mark.timeout(900)
def test_a_killed_web_server_and_a_killed_worker_come_back_at_the_same_address(running):
    web = with_word(running.family, "pandasite.launcher.web")
    worker = with_word(running.family, "worker@%h")
    gone = [*family_of(web.pid), *family_of(worker.pid)]

    web.kill()
    worker.kill()

    # The launcher holds the socket: a request waits for the new server instead of being refused.
    assert running.live()
    wait_until_dead(gone, seconds=60)


@pytest.mark.timeout(900)
def test_down_ends_everything_in_order(site, running):
    family = family_of(running.process.pid)

    answer = site.ask("down")

    assert answer == (0, f"ended pandasite (process {running.process.pid})\n")
    said = finish(running)
    assert "web ended (signal SIGKILL), starts again in 0.5 s" in said
    assert "worker ended (signal SIGKILL), starts again in 0.5 s" in said
    assert said.endswith("stopping\nstopped\n")
    assert running.process.returncode == 0
    assert alive([*running.family, *family]) == []
    assert site.ask("down") == (0, "nothing is running\n")


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has death signals")
def test_a_killed_launcher_leaves_no_process_and_the_next_one_starts_cleanly(site):
    first = bring_up(site)
    assert len(first.family) > 10

    first.process.kill()
    wait_until_dead(first.family, seconds=60)
    first.process.communicate()
    second = bring_up(site)

    assert second.live()
    second.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    finish(second)
    assert time.monotonic() - began < END_SECONDS
    assert alive(second.family) == []


@pytest.mark.timeout(900)
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above ran as an ordinary user")
def test_an_ordinary_user_can_do_all_this_too():
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


def test_a_bad_setting_stops_the_start_with_one_sentence(site):
    refused = Site(folder=site.folder, extra={"PANDASITE_SWEEP_SECONDS": "often"})

    sentence = "PANDASITE_SWEEP_SECONDS must be a whole number from 1 to 3600, not 'often'."
    assert refused.ask("up") == (1, f"Cannot start: {sentence}\n")


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
    ignored = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "*.a")
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
