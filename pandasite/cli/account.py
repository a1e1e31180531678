"""Who asks where: the address and the token, from the environment or a file of the user's own."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pandasite.cli.errors import Wrong

URL, TOKEN = "PANDASITE_URL", "PANDASITE_TOKEN"
PRIVATE = 0o600
LOGIN = "log in first: `pandasite login http://127.0.0.1:8000` (or set PANDASITE_URL and its token)"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An address of a server, without a slash at its end, and a token for it."""

    url: str
    token: str = field(repr=False)


def path() -> Path:
    """Where logins are kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "pandasite" / "login.json"


def address(text: str) -> str:
    """The checked address. Wrong names what is wrong with it."""
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Wrong(f"'{text[:200]}' is no address: give one such as https://panda.example.org")
    if parts.username or parts.query or parts.fragment:
        raise Wrong("give the bare address of the site: no user, query or fragment")
    return text.removesuffix("/rest/v1")


def current() -> Account:
    """Of this call. The environment wins; a kept token goes to no other server than its own."""
    kept = _read()
    url = os.environ.get(URL, "").strip() or str(kept.get("current", ""))
    if not url:
        raise Wrong(LOGIN)
    url = address(url)
    token = os.environ.get(TOKEN, "").strip() or str(kept.get("tokens", {}).get(url, ""))
    if not token:
        raise Wrong(f"no token for {url}: `pandasite login {url}`, or set {TOKEN}")
    return Account(url=url, token=checked_token(token))


def checked_token(token: str) -> str:
    """A token that fits into a header."""
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise Wrong("a token is one word of letters and digits, as `manage.py token` prints it")
    return token


def keep(account: Account) -> Path:
    """Keep a login, for this user's eyes only; from now on it is the one that is meant."""
    kept = _read()
    tokens = {**kept.get("tokens", {}), account.url: account.token}
    return _write({"current": account.url, "tokens": tokens})


def forget() -> str:
    """Forget the login that is meant now; its address, '' when there was none."""
    kept = _read()
    url, tokens = str(kept.get("current", "")), dict(kept.get("tokens", {}))
    tokens.pop(url, None)
    if tokens:
        _write({"current": next(iter(tokens)), "tokens": tokens})
    else:
        path().unlink(missing_ok=True)
    return url


def _read() -> dict[str, Any]:
    place = path()
    try:
        with place.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Wrong(f"others may read {place}, which has your token: chmod 600 it")
            kept = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Wrong(f"{place} cannot be read ({error}): remove it, and log in anew") from error
    if not isinstance(kept, dict) or not isinstance(kept.get("tokens", {}), dict):
        raise Wrong(f"{place} is not what `pandasite login` writes: remove it, and log in anew")
    return kept


def _write(kept: Mapping[str, Any]) -> Path:
    """Whole or not at all: an older login survives a full disk."""
    place = path()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=place.parent, prefix=".login-")  # made with mode 600
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
        os.chmod(name, PRIVATE)
        os.replace(name, place)
    except OSError as error:
        raise Wrong(f"{place} cannot be written: {error}") from error
    return place
