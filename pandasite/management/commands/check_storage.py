"""`manage.py check_storage NAME`: compare a storage element with the catalogue."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets import consistency, findings
from datasets.models import StorageElement, StorageFinding
from pandasite.base.clock import database_now

ACTOR = "manage.py check_storage"
SHOWN = 20


class Command(BaseCommand):
    help = "Find files that are stored and not known (dark), or known and not stored (lost)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of the storage element")
        parser.add_argument(
            "--seconds", type=int, default=3600, help="stop then; the next call goes on there"
        )
        parser.add_argument(
            "--declare-lost",
            metavar="REASON",
            help="believe what two checks missed: bad replicas, asked for again from elsewhere",
        )
        parser.add_argument(
            "--remove-dark",
            type=int,
            metavar="DAYS",
            help="remove dark files that two checks met and that were first seen so long ago",
        )
        parser.add_argument("--reason", default="", help="why dark files are removed")

    def handle(self, *, name: str, **options: Any) -> None:
        storage = StorageElement.objects.filter(name=name).first()
        if storage is None:
            raise CommandError(f"there is no storage element {name}")
        if options["remove_dark"] is not None and not options["reason"]:
            raise CommandError("--remove-dark needs a --reason")
        if options["remove_dark"] is not None and options["remove_dark"] < 0:
            raise CommandError("--remove-dark must be 0 days or more")
        self._check(storage, options["seconds"])
        for kind in StorageFinding.Kind:
            self._show(storage, kind)
        self._act(storage, options)

    def _check(self, storage: StorageElement, seconds: int) -> None:
        now = database_now()
        state = consistency.check(storage, now=now, seconds=seconds)
        if state.error:
            raise CommandError(f"{state.error}; the next call goes on here")
        seen = f"{state.replicas_seen:,} replicas and {state.stored_seen:,} stored files"
        done = "checked" if state.ended_at == now else "not ended, the next call goes on here:"
        self.stdout.write(f"{storage}: {done} {seen}")

    def _show(self, storage: StorageElement, kind: StorageFinding.Kind) -> None:
        open_ = StorageFinding.objects.filter(storage=storage, kind=kind, resolved_at=None)
        twice = findings.confirmed(storage, kind).count()
        self.stdout.write(f"{kind.value}: {open_.count():,}, of those {twice:,} seen by two checks")
        for finding in open_.order_by("-sightings", "pk")[:SHOWN]:
            more = f" ({finding.resolution})" if finding.resolution else ""
            self.stdout.write(f"  {finding.path} seen {finding.sightings} x{more}")

    def _act(self, storage: StorageElement, options: dict[str, Any]) -> None:
        now = database_now()
        if options["declare_lost"]:
            declared = findings.declare_lost(
                storage, actor=ACTOR, reason=options["declare_lost"], now=now
            )
            self.stdout.write(
                f"bad by now: {declared.asked:,} asked for again from elsewhere, "
                f"{declared.alone:,} without any other replica"
            )
        if options["remove_dark"] is not None:
            removed = findings.remove_dark(
                storage,
                older_than=dt.timedelta(days=options["remove_dark"]),
                actor=ACTOR,
                reason=options["reason"],
                now=now,
            )
            self.stdout.write(f"removed: {removed:,} dark files")
