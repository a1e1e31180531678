"""A site whose processes are the children of the test: what the fault and the scale tests share.

The servers run in a folder; web server and workers are the product's own, each started by itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from pytest_django import DjangoDbBlocker

from jobs import fsck
from pandasite.base.models import SweepRun
from pandasite.embedded.home import Home
from pandasite.embedded.process import Command
from tests.flow.installation import Installation
from tests.flow.processes import Family


class SiteOfPieces(Installation):
    """The folder of such a site, and what an administrator asks there."""

    def __init__(self, path: Path, *, family: Family, blocker: DjangoDbBlocker) -> None:
        super().__init__(path, family=family, blocker=blocker)
        self.home = Home.choose(asked=str(path), repository=path)
        self.home.make()

    def run_manage(self, *words: str, environment: Mapping[str, str]) -> str:
        """What a management command says, which must end well."""
        done = subprocess.run(
            (sys.executable, "manage.py", *words),
            env=environment,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sweep_errors(self) -> list[tuple[str, str]]:
        """The sweeps that ended badly, with what they said."""
        with self.books():
            return list(SweepRun.objects.exclude(error="").values_list("name", "error"))

    def fsck(self) -> list[str]:
        """What `manage.py fsck` finds."""
        with self.books():
            return fsck.check()


def module(
    name: str, *words: str, environment: Mapping[str, str], fds: tuple[int, ...] = ()
) -> Command:
    """A Python module of ours, with these words, as a process of this name."""
    return Command(
        name=name,
        argv=(sys.executable, "-m", *words),
        env=environment,
        cwd=str(settings.BASE_DIR),
        fds=fds,
    )


def web(fd: int, *, environment: Mapping[str, str]) -> Command:
    """The web server on the listening socket that it inherits, as it does from the launcher."""
    words = ("pandasite.launcher.web", "--bind", f"fd://{fd}")
    return module("web", *words, environment=environment, fds=(fd,))


def worker(
    name: str, *options: str, at: str, environment: Mapping[str, str], app: str = "pandasite"
) -> Command:
    """A Celery worker of this name at a host (`%h`: this machine), alone as the launcher's are."""
    node = ("-n", f"{name}@{at}", "--without-gossip", "--without-mingle")
    words = ("celery", "-A", app, "worker", *node, *options)
    return module(name, *words, environment=environment)
