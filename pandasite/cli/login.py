"""Logging in: a token that the server has been asked about, kept in a file of the user's own."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.account import Account
from pandasite.cli.errors import Wrong
from pandasite.cli.options import Json

LOCAL = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def login(
    url: Annotated[str, typer.Argument(help="Address of the server.")] = "http://127.0.0.1:8000",
) -> None:
    """Keep an address and a token; the token is asked for, or read from a pipe.

    An administrator makes tokens: `manage.py token NAME`.
    """
    from pandasite.cli.door import Door

    url = account.address(url)
    one = Account(url=url, token=account.checked_token(_token()))
    with Door(one) as door:
        me = door.get("me")
    place = account.keep(one)
    show.note(f"logged in at {url} as {me['username']}; the token is in {place}")
    if url.startswith("http://") and not url.startswith(LOCAL):
        show.note("Beware: over http:// the token can be read on its way. Use https:// if you can.")


def _token() -> str:
    """Of the environment, a pipe, or the keyboard, where it is not shown."""
    if token := os.environ.get(account.TOKEN, "").strip():
        return token
    if not sys.stdin.isatty():
        token = sys.stdin.readline().strip()
        if not token:
            raise Wrong("no token came: `manage.py token NAME | pandasite login URL`")
        return token
    return str(typer.prompt("Token", hide_input=True)).strip()


def logout() -> None:
    """Forget the address and the token."""
    url = account.forget()
    show.note(f"forgot the token for {url}" if url else "there was nothing to forget")


def who(json: Json = False) -> None:
    """Who I am to the server, and what I may name there."""
    from pandasite.cli.door import Door

    one = account.current()
    with Door(one) as door:
        me = door.get("me")
    if json:
        return show.as_json(me)
    show.facts(_told(one.url, me))
    return None


def _told(url: str, me: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("server", url),
        ("user", me["username"]),
        ("groups", ", ".join(me["groups"])),
        ("may", "submit production and analysis" if me["production"] else "submit analysis"),
        ("usual VO", me["vo"]),
        ("VOs", ", ".join(me["vos"])),
        ("transformations", ", ".join(me["transformations"]) or "any"),
        ("uploads", "yes" if me["uploads"] else "no: the administrator has set no storage"),
    ]
