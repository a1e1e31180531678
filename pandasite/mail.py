"""The mail server of the environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from pandasite.environment import Environment

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mails go out; no host: nowhere."""

    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    ssl: bool = False
    starttls: bool = False
    sender: str = "pandasite@localhost"
    site: str = ""


def mail_server(environment: Environment) -> MailServer:
    """From PANDASITE_SMTP, `smtps://user:password@host:port`; its password is never repeated."""
    url = environment.text("PANDASITE_SMTP")
    if not url:
        return MailServer()
    words = f"PANDASITE_SMTP must be {', '.join(f'{name}://host' for name in PORTS)}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{words}, with a port from 1 to 65535.") from None
    if parts.scheme not in PORTS or not host:
        raise ImproperlyConfigured(f"{words}, maybe with user:password@ and :port.")
    return MailServer(
        host=host,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ssl=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp+starttls",
        sender=_needed(environment, "PANDASITE_MAIL_FROM", "the address that mails come from"),
        site=_site(environment),
    )


def _needed(environment: Environment, name: str, what: str) -> str:
    text = environment.text(name)
    if not text:
        raise ImproperlyConfigured(f"{name}, {what}, must be set when PANDASITE_SMTP is.")
    return text


def _site(environment: Environment) -> str:
    name = "PANDASITE_ADDRESS"
    text = _needed(environment, name, "the address of this site in mails").rstrip("/")
    if not text.startswith(("https://", "http://")):
        raise ImproperlyConfigured(f"{name} must begin with https:// or http://, not {text!r}.")
    return text
