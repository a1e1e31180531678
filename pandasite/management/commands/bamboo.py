"""`manage.py bamboo`: one cycle with the production database, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.bamboo import cycle
from jobs.bamboo.turn import Limits
from jobs.models import BambooRound


class Command(BaseCommand):
    help = (
        "Runs one cycle of Bamboo and prints what it did: takes new tasks and jobs from the "
        "production database, gives tasks their clouds, submits jobs, writes states back, and "
        "kills what is to be aborted. Says so when another cycle is at work."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, help="for the same draws of clouds each time")
        parser.add_argument(
            "--seconds", type=float, metavar="S", help="stop after so long, and leave the rest"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        report = cycle(limits=Limits(seconds=options["seconds"]), seed=options["seed"])
        if report.round is None:
            raise CommandError(report.why)
        for line in said(report.round):
            self.stdout.write(line)
        if report.round.state == BambooRound.State.TROUBLE:
            raise CommandError(report.round.error, returncode=1)


def said(done: BambooRound) -> list[str]:
    """What a round did, a line for each step."""
    lines = [
        f"{number}. {step['name']:<8}{step['rows']:>8} rows {step['seconds']:>8.2f} s"
        f"  {step['trouble']}".rstrip()
        for number, step in enumerate(done.steps, start=1)
    ]
    backlog = ""
    if done.backlog_tasks is not None:
        backlog = f"; left in prodDB: {done.backlog_tasks} tasks, {done.backlog_jobs} jobs"
    sums = (
        f"taken {done.taken} tasks, gave {done.assigned} a cloud, submitted {done.submitted} jobs,"
        f" wrote {done.written} states, killed {done.killed}, refused {done.refused} rows{backlog}"
    )
    return [*lines, sums]
