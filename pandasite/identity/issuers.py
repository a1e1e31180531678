"""The issuers of tokens that are believed here: a file that PANDASITE_ISSUERS names.

It is JSON, `{"issuers": [{...}]}`, with the fields of Issuer, Device and Login below;
docs/identity.md has an example. Whatever is wrong with it is said when the server starts: the file,
the issuer and the field. An issuer that is not in the file is unknown: nothing is ever asked of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

READ: Final = "panda.read"
WRITE: Final = "panda.write"
PILOT: Final = "panda.pilot:"  # and the name of a site
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
VO: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Device:
    """What PanDA's client is told at /auth/<vo>_auth_config.json, for each VO of `vos`."""

    vos: Sequence[str]
    client_id: str
    client_secret: str
    audience: str
    oidc_config_url: str


@dataclass(frozen=True, kw_only=True)
class Login:
    """How people log in to the pages with this issuer; the secret lies in a file of its own."""

    title: str
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    client_secret_file: str = ""
    scopes: str = "openid profile"


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """An issuer: `keys` is the address of its JWKS, or a path that begins with a slash.

    `scopes` and `roles` are theirs -> ours; `without_scope` are the scopes of a token that has no
    such claim, as an ID token has none.
    """

    issuer: str
    audiences: Sequence[str]
    keys: str
    create_users: bool = False
    pilots: bool = False
    without_scope: Sequence[str] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    username: str = "preferred_username"
    device: Device | None = None
    login: Login | None = None


Issuers = Mapping[str, Issuer]


def read_issuers(path: str) -> Issuers:
    """The issuers of a file by name; none without a path. Raises ImproperlyConfigured."""
    if not path:
        return {}
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read: {error}") from None
    if not isinstance(said, dict) or said.keys() != {"issuers"}:
        raise _wrong(path, 'must be {"issuers": [...]}')
    if not isinstance(said["issuers"], list):
        raise _wrong(path, "issuers must be a list")
    found: dict[str, Issuer] = {}
    for nr, one in enumerate(said["issuers"], start=1):
        issuer = _issuer(one, f"{path}, issuer {nr}")
        if issuer.issuer in found:
            raise _wrong(path, f"names {issuer.issuer} twice")
        found[issuer.issuer] = issuer
    _check_together(path, found.values())
    return found


def _check_together(path: str, issuers: Any) -> None:
    logins = [issuer.issuer for issuer in issuers if issuer.login]
    if len(logins) > 1:
        raise _wrong(path, f"has a login for {' and '.join(logins)}: one can have it")
    vos = [vo for issuer in issuers if issuer.device for vo in issuer.device.vos]
    for vo in vos:
        if vos.count(vo) > 1:
            raise _wrong(path, f"has a device for the VO {vo} twice")


def _issuer(said: Any, where: str) -> Issuer:
    made = _made(Issuer, said, where)
    if urlsplit(made.issuer).scheme not in ("https", "http"):
        raise _wrong(where, f"issuer must be an address, not {made.issuer!r}")
    if not made.audiences:
        raise _wrong(where, "audiences must name at least one: by it a token is for us")
    if not made.keys.startswith("/"):
        _check_address(made.keys, where, "keys")
    for name, scopes in (("scopes", made.scopes.values()), ("without_scope", made.without_scope)):
        for scope in scopes:
            if scope not in (READ, WRITE):
                raise _wrong(where, f"{name} must lead to {READ} or {WRITE}, not {scope!r}")
    if made.device:
        _check_address(made.device.oidc_config_url, where, "device.oidc_config_url")
        for vo in made.device.vos:
            if not VO.fullmatch(vo):
                raise _wrong(where, f"device.vos must be names of VOs, not {vo!r}")
    if made.login:
        for name in ("authorization_endpoint", "token_endpoint"):
            _check_address(getattr(made.login, name), where, f"login.{name}")
    return made


def _check_address(url: str, where: str, name: str) -> None:
    """https, or http to this machine alone."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise _wrong(where, f"{name} must be an https:// address, not {url!r}")


# How the types of the fields are called in the classes above, and what JSON has for them.
_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "str": (str, "a text"),
    "bool": (bool, "true or false"),
    "Sequence[str]": (list, "a list of texts"),
    "Mapping[str, str]": (dict, "an object of texts"),
}
_PARTS: Final[Mapping[str, type]] = {"Device | None": Device, "Login | None": Login}


def _made(kind: type[T], said: Any, where: str) -> T:
    """An object of JSON as one of ours: no field too many, none missing, none of another type."""
    if not isinstance(said, dict):
        raise _wrong(where, "must be an object")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for name in said:
        if name not in known:
            raise _wrong(where, f"has {name!r}, which is none of {', '.join(known)}")
    values = {}
    for name, one in known.items():
        if name in said:
            values[name] = _value(str(one.type), said[name], where, name)
        elif one.default is MISSING and one.default_factory is MISSING:
            raise _wrong(where, f"lacks {name}")
    return kind(**values)


def _value(type_name: str, value: Any, where: str, name: str) -> Any:
    if type_name in _PARTS:
        return _made(_PARTS[type_name], value, f"{where}, {name}")
    kind, words = _TYPES[type_name]
    inner = value if kind is list else value.values() if isinstance(value, dict) else ()
    if not isinstance(value, kind) or not all(isinstance(one, str) for one in inner):
        raise _wrong(where, f"{name} must be {words}")
    if value == "" and name != "client_secret":
        raise _wrong(where, f"{name} must not be empty")
    return value


def _wrong(where: str, words: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"PANDASITE_ISSUERS: {where} {words}.")
