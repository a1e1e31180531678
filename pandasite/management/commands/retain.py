"""`manage.py retain`: drop the weeks of the archive that need not be kept any longer."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs import retention
from pandasite.base.clock import database_now
from pandasite.base.rounds import Incomplete


class Command(BaseCommand):
    help = "Drop ended jobs, by whole weeks, that ended more than so many days ago."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, help="else PANDASITE_RETAIN_DAYS")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be dropped")

    def handle(self, *, days: int | None, dry_run: bool, **_: Any) -> None:
        kept = settings.PANDASITE["RETAIN_DAYS"] if days is None else days
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1")
        if not kept:
            self.stdout.write("ended jobs are kept for ever: PANDASITE_RETAIN_DAYS is 0")
            return
        now = database_now()
        weeks = retention.weeks_before(now - dt.timedelta(days=kept))
        if dry_run:
            self._say("would be dropped, about", weeks)
            return
        try:
            self._say("dropped,", retention.drop(weeks, now=now))
        except Incomplete as left:
            raise CommandError(f"{left}; run it again") from left

    def _say(self, words: str, weeks: list[retention.Week]) -> None:
        for week in weeks:
            jobs = "1 job" if week.jobs == 1 else f"{week.jobs:,} jobs"
            self.stdout.write(f"week of {week.monday} {words} {jobs}")
        if not weeks:
            self.stdout.write("nothing is that old")
