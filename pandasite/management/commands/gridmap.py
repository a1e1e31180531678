"""`manage.py gridmap FILE`: whose certificates are whose, from a grid-mapfile."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs import gridmap
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError
from pandasite.identity.x509.gridmap import parse


class Command(BaseCommand):
    help = "Enter the certificates of a grid-mapfile, with their users and roles; twice is as once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help='lines of "NAME" account [roles]')
        parser.add_argument("--issuer", default="", help="the authority of lines without #issuer")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="take away certificates of these authorities that are not in the file",
        )

    def handle(self, *, file: Path, issuer: str, prune: bool, **_: Any) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        try:
            mapped = gridmap.apply(
                parse(text, issuer=issuer),
                prune=prune,
                actor="manage.py gridmap",
                reason=str(file),
                now=database_now(),
            )
        except DomainError as error:
            raise CommandError(f"{file}: {error.message}") from error
        self.stdout.write(mapped.in_words())
