"""`manage.py fsck`: do states, events, counts and files agree?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.fsck import check


class Command(BaseCommand):
    help = "Recount states against events, counts against jobs, files against datasets."

    def handle(self, **_: Any) -> None:
        found = check()
        for line in found:
            self.stdout.write(line)
        self.stdout.write(f"{len(found)} differences")
        if found:
            raise CommandError("the books do not agree")
