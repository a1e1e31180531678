"""`manage.py relay_files`: move files of an earlier layout to where they are looked for now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.models import StorageElement
from datasets.relay import relay
from datasets.storage import StorageError


class Command(BaseCommand):
    help = "Move files that lie at the paths of an earlier version. Safe to run again."

    def handle(self, **_: Any) -> None:
        failed = 0
        for storage in StorageElement.objects.all():
            try:
                found = relay(storage, say=self.stdout.write)
            except StorageError as error:
                failed += 1
                self.stdout.write(f"{storage.name}: {error}")
                continue
            self.stdout.write(
                f"{storage.name}: {found.moved} moved, {found.there} at their place,"
                f" {found.missing} at neither"
            )
        if failed:
            raise CommandError(f"{failed} storage elements could not be looked through")
