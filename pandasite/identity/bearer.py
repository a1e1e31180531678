"""Tokens of other issuers (JWT; WLCG profile), checked without asking anybody.

The issuer must be one of PANDASITE_ISSUERS; its keys are those that it publishes at the address of
that file, never at one that the token names. What is wrong is said in words, but for the signature.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from django.conf import settings
from jwt import PyJWS
from jwt.exceptions import PyJWTError
from rest_framework.exceptions import AuthenticationFailed

from pandasite.base.errors import DomainError, NotAllowed
from pandasite.base.json import loads_strict
from pandasite.identity.issuers import PILOT, READ, WRITE, Issuer
from pandasite.identity.keys import ALGORITHMS, BOOK

LONGEST: Final = 8192  # bytes of a token
LONGEST_NAME: Final = 255  # of `sub`, as OpenID has it
SKEW: Final = dt.timedelta(seconds=60)
# A token does not say where its key is, nor bring one; and nothing critical is unknown to us.
FOREIGN_HEADERS: Final = ("jku", "x5u", "jwk", "crit")
WLCG_VERSION: Final = re.compile(r"1\.[0-9]{1,4}")
_JWS: Final = PyJWS(algorithms=[*ALGORITHMS.values()])


class InsufficientScope(NotAllowed):
    """A good token that may not do this; `scope` would be needed."""

    code = "insufficient_scope"

    def __init__(self, scope: str, message: str = "") -> None:
        super().__init__(message or f"this needs a token with the scope {scope}", scope=scope)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a good token says of its bearer. `site`: whose pilots it is for, '' for people."""

    issuer: Issuer
    subject: str
    name: str
    scopes: frozenset[str]
    roles: tuple[str, ...]
    site: str
    expires_at: dt.datetime
    nonce: str

    def must_read(self) -> None:
        """InsufficientScope when it is not for people, or not even for looking."""
        if not {READ, WRITE} & self.scopes:
            raise InsufficientScope(READ)

    @property
    def reads_only(self) -> bool:
        return WRITE not in self.scopes


def may_be_bearer(token: bytes) -> bool:
    """Whether it looks like a token of another issuer: ours have no dots."""
    return token.count(b".") == 2


def check(token: bytes, *, now: dt.datetime, audiences: Collection[str] = ()) -> Claims:
    """What the token says; AuthenticationFailed, InsufficientScope, IssuerAway.

    `audiences` are to be looked for instead of the issuer's own.
    """
    if len(token) > LONGEST:
        _no(f"it has {len(token)} bytes, at most {LONGEST} are read")
    header, said = _unpacked(token)
    issuer = settings.PANDASITE_ISSUERS.get(said["iss"])
    if issuer is None:
        _no("its issuer is not known here")
    _check_signature(token, header, issuer, now)
    expires_at = _check_times(said, now)
    _check_audience(said.get("aud"), audiences or issuer.audiences)
    version = said.get("wlcg.ver")
    if version is not None and not (isinstance(version, str) and WLCG_VERSION.fullmatch(version)):
        _no("its wlcg.ver is not 1.x")
    scopes = _scopes(said.get("scope"), issuer)
    return Claims(
        issuer=issuer,
        subject=_subject(said.get("sub")),
        name=_text(said.get(issuer.username)) or _text(said.get("name")),
        scopes=frozenset(scopes),
        roles=_roles(said, issuer),
        site=_site(scopes, issuer),
        expires_at=expires_at,
        nonce=_text(said.get("nonce")),
    )


def _unpacked(token: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims, not to be believed yet."""
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        header = parts["header"]
        said = loads_strict(parts["payload"], max_bytes=LONGEST)
    except (PyJWTError, DomainError, ValueError, RecursionError):
        _no("it cannot be read")
    if not isinstance(said.get("iss"), str):
        _no("it names no issuer")
    return header, said


def _check_signature(
    token: bytes, header: Mapping[str, Any], issuer: Issuer, now: dt.datetime
) -> None:
    if header.get("alg") not in ALGORITHMS.values():
        _no(f"its alg must be {' or '.join(ALGORITHMS.values())}")
    for name in FOREIGN_HEADERS:
        if name in header:
            _no(f"its header has {name}, which is not taken")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        _no("it names no key (kid)")
    key = BOOK.key(issuer.keys, kid, now=now)
    if key is None:
        _no("its issuer has no such key")
    try:
        if key.algorithm_name != header["alg"]:
            _no("its key is for another alg")
        _JWS.decode_complete(token, key, algorithms=[key.algorithm_name])
    except PyJWTError:
        _no("its signature is wrong")


def _check_times(said: Mapping[str, Any], now: dt.datetime) -> dt.datetime:
    """When it expires; one minute of difference between clocks is forgiven."""
    expires_at, issued_at = _time(said, "exp"), _time(said, "iat")
    if now >= expires_at + SKEW:
        _no(f"it has expired at {expires_at:%Y-%m-%d %H:%M:%S} UTC")
    if issued_at > now + SKEW:
        _no("it was issued in the future (iat)")
    if "nbf" in said and _time(said, "nbf") > now + SKEW:
        _no("it is not good yet (nbf)")
    return expires_at


def _time(said: Mapping[str, Any], name: str) -> dt.datetime:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _no(f"it has no {name}")
    try:
        return dt.datetime.fromtimestamp(value, tz=dt.UTC)
    except (ValueError, OverflowError, OSError):
        _no(f"its {name} is no time")


def _check_audience(said: Any, ours: Collection[str]) -> None:
    """All audiences must be ours: what is for others too, another could bring to us."""
    named = [said] if isinstance(said, str) else said
    if not isinstance(named, list) or not named:
        _no("it names no audience (aud)")
    if not all(isinstance(one, str) and one in ours for one in named):
        _no("it is not, or not only, for this server (aud)")


def _scopes(said: Any, issuer: Issuer) -> set[str]:
    if said is None:
        return set(issuer.without_scope)
    words = said.split() if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        _no("its scope is no text")
    ours = {word for word in words if word in (READ, WRITE) or word.startswith(PILOT)}
    return ours | {issuer.scopes[word] for word in words if word in issuer.scopes}


def _site(scopes: Collection[str], issuer: Issuer) -> str:
    """The site whose pilots the token is for, '' when it is none of a pilot."""
    sites = [scope.removeprefix(PILOT) for scope in scopes if scope.startswith(PILOT)]
    if not sites:
        return ""
    if not issuer.pilots:
        raise InsufficientScope(READ, "this issuer gives no tokens to pilots")
    if len(sites) > 1:
        raise InsufficientScope(f"{PILOT}{sorted(sites)[0]}", "a pilot's token is for one site")
    return sites[0]


def _roles(said: Mapping[str, Any], issuer: Issuer) -> tuple[str, ...]:
    """Ours, of the token's groups: a group below another does not make one a member of that."""
    groups = []
    for name in ("wlcg.groups", "groups"):
        value = said.get(name, [])
        groups += value if isinstance(value, list) else []
    return tuple(
        sorted({issuer.roles[g] for g in groups if isinstance(g, str) and g in issuer.roles})
    )


def _subject(said: Any) -> str:
    if not isinstance(said, str) or not 1 <= len(said) <= LONGEST_NAME or not said.isascii():
        _no(f"its sub must be 1 to {LONGEST_NAME} characters of ASCII")
    return said


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _no(words: str) -> NoReturn:
    raise AuthenticationFailed(f"this token is not good: {words}", code="invalid_token")
