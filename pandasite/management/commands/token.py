"""`manage.py token`: a new token for a user, for their PanDA client, or for a site's pilots."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from brokerage.models import Site
from jobs import identity
from pandasite.base.errors import DomainError


class Command(BaseCommand):
    help = "Print a new token: for a user, their PanDA client, or the pilots of a site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="user name, or with --pilot the name of a site")
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--pilot", action="store_true", help="a token for pilots of the site")
        kind.add_argument(
            "--client", action="store_true", help="for prun and pbook: PANDA_AUTH_ID_TOKEN"
        )
        parser.add_argument("--days", type=float, help="life of the token in days")

    def handle(self, *, name: str, pilot: bool, client: bool, days: float | None, **_: Any) -> None:
        try:
            told = _pilot(name, days) if pilot else _person(name, days, client=client)
            self.stdout.write(told)
        except DomainError as error:
            raise CommandError(error.message) from error


def _pilot(name: str, days: float | None) -> str:
    site = Site.objects.filter(name=name).first()
    if site is None:
        raise CommandError(f"there is no site {name}")
    return identity.new_pilot_token(site, days=days or identity.PILOT_TOKEN_DAYS)


def _person(name: str, days: float | None, *, client: bool) -> str:
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"there is no user {name}; `manage.py createsuperuser` makes one")
    make = identity.client_token if client else identity.new_token
    return make(user, days=days or identity.USER_TOKEN_DAYS)
