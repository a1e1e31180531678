"""`manage.py fsck [--counts]`: do states, events, counts and files agree?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.fsck import COUNTS, check


class Command(BaseCommand):
    help = "Recount states against events, counts against jobs, files against datasets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--counts",
            action="store_true",
            help="only the numbers of the dashboard, in one statement; right under any load",
        )

    def handle(self, *, counts: bool = False, **_: Any) -> None:
        found = check(COUNTS if counts else None)
        for line in found:
            self.stdout.write(line)
        self.stdout.write(f"{len(found)} differences")
        if found:
            raise CommandError("the books do not agree")
