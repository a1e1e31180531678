"""`manage.py replay_swf FILE`: the jobs of a real log, at the log's own times."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from brokerage.models import VO
from jobs.proddb import door
from pandasite.replay import scratch, swf
from pandasite.replay.entry import Entry, Payload
from pandasite.replay.grid import VO_NAME
from pandasite.replay.production import ProductionEntry
from pandasite.replay.run import let_in
from pandasite.replay.work import work_of

Asked = partial(ProductionEntry, cycles=False)  # Bamboo's own cycle takes it


class Command(BaseCommand):
    help = (
        "Submit the jobs of a log in the Standard Workload Format, each at its own moment from now"
        " on, as payloads that sleep. With --simulate in an installation of its own, on a virtual"
        " clock, with virtual pilots: says whether every job ended once, and how long it waited."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        scratch.add_options(parser)
        parser.add_argument("--simulate", action="store_true", help="nobody sleeps")
        parser.add_argument("--transformation", default="sleep.py", help="that sleeps --seconds N")
        parser.add_argument("--release", default="", help="AtlasRelease of the jobs")
        parser.add_argument("--cmt-config", default="", help="cmtConfig of the jobs")
        parser.add_argument("--vo", default=VO_NAME, help="of the jobs")
        parser.add_argument("--name", default="", help="of the replay; a repeated one goes on")

    def handle(self, *, file: Path, simulate: bool, **options: Any) -> None:
        if simulate:
            sys.exit(self._simulate(file, options))
        try:
            log = swf.read(file)
        except (swf.BadLog, OSError) as error:
            raise CommandError(str(error)) from None
        if options["jobs"]:
            log = swf.first(log, options["jobs"])
        work = work_of(log, scale=options["scale"], slots=options["slots"])
        name = options["name"] or f"swf-{hashlib.sha256(file.name.encode()).hexdigest()[:8]}"
        payload = Payload(
            transformation=options["transformation"],
            release=options["release"],
            cmt_config=options["cmt_config"],
            vo=options["vo"],
        )
        kind = Entry if options["direct"] or not door.available() else Asked
        entry = kind(work=work, payload=payload, run=name)
        VO.objects.get_or_create(name=options["vo"])
        n = let_in(entry, say=self.stdout.write)
        self.stdout.write(f"{n:,} jobs were submitted as replay {name}")

    def _simulate(self, file: Path, options: dict[str, Any]) -> int:
        """In a process of its own: this one's settings point at the real installation."""
        words = [sys.executable, "-m", "pandasite.replay.scratch", str(file.resolve())]
        for name in ("scale", "slots", "jobs", "json"):
            if options[name] is not None:
                words += [f"--{name}", str(options[name])]
        words += ["--direct"] if options["direct"] else []
        return subprocess.run(words, cwd=settings.BASE_DIR, check=False).returncode
