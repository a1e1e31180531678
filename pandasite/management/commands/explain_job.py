"""`manage.py explain_job ID`: where a job went or would go, and why not elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokerage.policy import Choice, explain_lines
from jobs import assign
from jobs.models import AnyJob
from pandasite.base.clock import database_now


class Command(BaseCommand):
    help = "Print the brokerage decision of a job, and what would be decided now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("panda_id", type=int)

    def handle(self, *, panda_id: int, **_: Any) -> None:
        job = (
            AnyJob.objects.select_related("decision", "vo", "cloud", "computing_site")
            .filter(pk=panda_id)
            .first()
        )
        if job is None:
            raise CommandError(f"there is no job {panda_id}")
        self.stdout.write(f"job {job.pk} is {job.state}")
        if job.decision is not None:
            self.stdout.write(f"\ndecided {job.decision.at:%Y-%m-%d %H:%M:%S} UTC:")
            self._print(Choice.from_json(job.decision.detail))
        self.stdout.write("\nif it were decided now:")
        self._print(assign.explain_job(job, now=database_now()))

    def _print(self, choice: Choice) -> None:
        for line in explain_lines(choice):
            self.stdout.write(f"  {line}")
