"""`manage.py demo`: a small grid with real programs, on this machine."""

import os
import shutil
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pandasite.demo.client import Refused
from pandasite.demo.run import PACE, Demo, Options
from pandasite.demo.screen import Screen
from pandasite.launcher import LaunchError, Stack
from pandasite.launcher.state import Hold

MADE_BY_RUNS = ("postgres", "valkey", "demo", "logs")


class Command(BaseCommand):
    help = (
        "Starts the whole site with a small grid and its pilots, and submits real productions: "
        "event generation, analysis in other clouds, a merge, and molecular dynamics; some jobs "
        "are meant to fail. Stays up until Ctrl-C, or with --once until every job is final. "
        "Work that a killed demo left is taken up again."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when every job is final")
        parser.add_argument("--fresh", action="store_true", help="forget all earlier runs first")
        parser.add_argument("--pilots-per-site", type=int, default=1, metavar="N")
        parser.add_argument("--port", type=int, help="of the web page (default 8000 or a free one)")
        parser.add_argument(
            "--every", type=float, default=300.0, metavar="S", help="pause between waves"
        )
        parser.add_argument(
            "--patience", type=float, default=900.0, metavar="S", help="longest time for a wave"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.ending = ""  # the screen writes its own line ends
        screen = Screen(self.stdout)
        if options["port"] is not None:
            os.environ["PANDASITE_BIND"] = f"127.0.0.1:{options['port']}"
        try:
            if options["fresh"]:
                forget(screen)
            good = self.play(screen, options)
        except (LaunchError, Refused) as error:
            raise CommandError(str(error)) from None
        if not good:
            raise CommandError("not every job ended as intended", returncode=1)

    def play(self, screen: Screen, options: dict[str, Any]) -> bool:
        chosen = Options(
            once=options["once"],
            pilots_per_site=options["pilots_per_site"],
            every=options["every"],
            patience=options["patience"],
        )
        with Stack(say=screen.say, environment=PACE) as stack:
            screen.say(f"dashboard: {stack.url}   (Ctrl-C ends the demo)")
            good = Demo(stack=stack, options=chosen, screen=screen).run()
            cut_short = stack.stopping and chosen.once
            screen.say("stopping")
        if cut_short:
            raise CommandError("stopped before every job was final")
        return good


def forget(screen: Screen) -> None:
    """Remove what earlier runs made. Only what is ours, and only while nothing runs there."""
    if not settings.PANDASITE_EMBEDDED:
        raise CommandError("--fresh works on the embedded database only, not on DATABASE_URL")
    home = settings.PANDASITE_HOME
    if not home.run.is_dir():
        return
    if Hold(home.run).is_taken():
        raise CommandError(f"something runs in {home.path}: end it first with `manage.py down`")
    found = [folder for name in MADE_BY_RUNS if (folder := home.path / name).is_dir()]
    for folder in found:
        shutil.rmtree(folder)
    if found:
        screen.say(f"forgot the earlier runs in {home.path}")
