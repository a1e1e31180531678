"""A site of one data folder that a test starts by `manage.py up` and ends again."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from pandasite.embedded.home import Home
from tests import migrated
from tests.base.homes import alive, family_of, open_folder

ROOT = Path(__file__).resolve().parents[2]
MANAGE = str(ROOT / "manage.py")
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

    def line(self) -> str:
        """What the launcher says next; empty where it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()


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


@contextmanager
def site_of_many_starts(*, prepared: bool = False) -> Iterator[Site]:
    """One data folder for the tests of a module: each start but the first finds it migrated.

    prepared: the first one, too.
    """
    with open_folder() as folder:
        site = Site(folder=folder / "var")
        if prepared:
            migrated.prepare(Home.choose(asked=str(site.folder), repository=site.folder))
        yield site


@contextmanager
def one_start(site: Site) -> Iterator[Running]:
    """For tests that look at a living site; the last of them ends it, or it is killed here."""
    running = bring_up(site)
    yield running
    running.process.kill()
    running.process.communicate()


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
